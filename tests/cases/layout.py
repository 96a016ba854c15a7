"""The project's own bench, from one place."""

from onhook.bench.phone import (
    Answer,
    Call,
    CallTimeoutError,
    Ending,
    Phone,
    PhoneError,
    ReferAnswer,
    Reject,
    Report,
    Ring,
)
from onhook.bench.phone.media import Packets
from onhook.bench.phone.sound_files import save_wav, speech
from onhook.bench.phone.sound_segments import Frame, Segmenter, level_of
from onhook.bench.simulator import Endpoint, ProviderFault, Script, Simulator, ToolCall
from onhook.bench.stack import Route, Stack

__all__ = [
    "Answer",
    "Call",
    "CallTimeoutError",
    "Ending",
    "Endpoint",
    "Frame",
    "Packets",
    "Phone",
    "PhoneError",
    "ProviderFault",
    "ReferAnswer",
    "Reject",
    "Report",
    "Ring",
    "Route",
    "Script",
    "Segmenter",
    "Simulator",
    "Stack",
    "ToolCall",
    "level_of",
    "save_wav",
    "speech",
]

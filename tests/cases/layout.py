"""The project's own bench, from one place."""

from onhook.phone import (
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
from onhook.phone.audio import save_wav, speech
from onhook.phone.hearing import Frame, Segmenter, level_of
from onhook.phone.media import Packets
from onhook.simulator import Endpoint, ProviderFault, Script, Simulator, ToolCall
from onhook.stack import Route, Stack

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

"""onhook: no phone caller is ever left on a silent or ringing line.

Put `@onhook.guard` below `@server.rtc_session(...)`; the rest is optional.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onhook.call import Call
    from onhook.errors import (
        ApiError,
        AudioError,
        ConfigurationError,
        DecorationError,
        EntrypointStalledError,
        JournalError,
        LadderError,
        OnhookError,
        OutageError,
        PolicyError,
    )
    from onhook.fallback import Deadlines, ProviderChange, providers
    from onhook.faults import Fault, Severity
    from onhook.incident import Failure, Incident, Outcome
    from onhook.jobguard import busy, explain, guard, is_active, release, set_active, watch
    from onhook.jobguard.dial import DialResult, dial
    from onhook.ladder import Ladder
    from onhook.policy import Policy
    from onhook.rungs import (
        DeleteRoom,
        HandOver,
        HangUp,
        Keep,
        Redispatch,
        RemoveCallers,
        Retry,
        Say,
        Transfer,
    )
    from onhook.sinks import LoggingObserver, Observer
    from onhook.sinks.journal import Journal, MemoryJournal, SqliteJournal
    from onhook.takeover import Takeover, incident_of

__all__ = [
    "ApiError",
    "AudioError",
    "Call",
    "ConfigurationError",
    "Deadlines",
    "DecorationError",
    "DeleteRoom",
    "DialResult",
    "EntrypointStalledError",
    "Failure",
    "Fault",
    "HandOver",
    "HangUp",
    "Incident",
    "Journal",
    "JournalError",
    "Keep",
    "Ladder",
    "LadderError",
    "LoggingObserver",
    "MemoryJournal",
    "Observer",
    "OnhookError",
    "OutageError",
    "Outcome",
    "Policy",
    "PolicyError",
    "ProviderChange",
    "Redispatch",
    "RemoveCallers",
    "Retry",
    "Say",
    "Severity",
    "SqliteJournal",
    "Takeover",
    "Transfer",
    "busy",
    "dial",
    "explain",
    "guard",
    "incident_of",
    "is_active",
    "providers",
    "release",
    "set_active",
    "watch",
]

# Loading livekit-agents takes seconds; `onhook --help` and the phone need none of it.
_HOME = {
    "errors": (
        *("ApiError", "AudioError", "ConfigurationError", "DecorationError"),
        *(
            "EntrypointStalledError",
            "JournalError",
            "LadderError",
            "OnhookError",
            "OutageError",
            "PolicyError",
        ),
    ),
    "fallback": ("Deadlines", "ProviderChange", "providers"),
    "faults": ("Fault", "Severity"),
    "sinks.journal": ("Journal", "MemoryJournal", "SqliteJournal"),
    "ladder": ("Ladder",),
    "sinks": ("LoggingObserver", "Observer"),
    "policy": ("Policy",),
    "jobguard": ("busy", "explain", "guard", "is_active", "release", "set_active", "watch"),
    "jobguard.dial": ("DialResult", "dial"),
    "rungs": (
        *("DeleteRoom", "HandOver", "HangUp", "Keep", "Redispatch"),
        *("RemoveCallers", "Retry", "Say", "Transfer"),
    ),
    "takeover": ("Takeover", "incident_of"),
    "call": ("Call",),
    "incident": ("Failure", "Incident", "Outcome"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'onhook' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"onhook.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

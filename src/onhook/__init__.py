"""onhook: no phone caller is ever left on a silent or ringing line.

Put `@onhook.guard` below `@server.rtc_session(...)`; the rest is optional.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onhook.errors import (
        ApiError,
        AudioError,
        ConfigurationError,
        DecorationError,
        EntrypointStalledError,
        LadderError,
        OnhookError,
        PolicyError,
    )
    from onhook.fallback import Deadlines, ProviderChange, providers
    from onhook.faults import Fault, Severity
    from onhook.journal import Journal, MemoryJournal
    from onhook.ladder import Ladder
    from onhook.observe import LoggingObserver, Observer
    from onhook.policy import Policy
    from onhook.ring1 import guard, is_active, set_active
    from onhook.rungs import DeleteRoom, HangUp, Keep, RemoveCallers, Say
    from onhook.types import Call, Failure, Incident, Outcome

__all__ = [
    "ApiError",
    "AudioError",
    "Call",
    "ConfigurationError",
    "Deadlines",
    "DecorationError",
    "DeleteRoom",
    "EntrypointStalledError",
    "Failure",
    "Fault",
    "HangUp",
    "Incident",
    "Journal",
    "Keep",
    "Ladder",
    "LadderError",
    "LoggingObserver",
    "MemoryJournal",
    "Observer",
    "OnhookError",
    "Outcome",
    "Policy",
    "PolicyError",
    "ProviderChange",
    "RemoveCallers",
    "Say",
    "Severity",
    "guard",
    "is_active",
    "providers",
    "set_active",
]

# Loading livekit-agents takes seconds; `onhook --help` and the phone need none of it.
_HOME = {
    "errors": (
        *("ApiError", "AudioError", "ConfigurationError", "DecorationError"),
        *("EntrypointStalledError", "LadderError", "OnhookError", "PolicyError"),
    ),
    "fallback": ("Deadlines", "ProviderChange", "providers"),
    "faults": ("Fault", "Severity"),
    "journal": ("Journal", "MemoryJournal"),
    "ladder": ("Ladder",),
    "observe": ("LoggingObserver", "Observer"),
    "policy": ("Policy",),
    "ring1": ("guard", "is_active", "set_active"),
    "rungs": ("DeleteRoom", "HangUp", "Keep", "RemoveCallers", "Say"),
    "types": ("Call", "Failure", "Incident", "Outcome"),
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

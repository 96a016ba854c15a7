"""The only place, beside the guard, that talks to LiveKit."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onhook.livekit.api import ServerApi
    from onhook.livekit.credentials import Credentials
    from onhook.livekit.livekit_line import LiveKitLine
    from onhook.livekit.meter import Listener, Meter
    from onhook.livekit.renderings import Renderings

__all__ = ["Credentials", "Listener", "LiveKitLine", "Meter", "Renderings", "ServerApi"]

# The watchdog is to stay small, and to listen at once: it needs no livekit-agents (90 MB) at all,
# and livekit.rtc (17 MB) only once its socket is there.
_MODULE_OF = {
    "Credentials": "credentials",
    "Listener": "meter",
    "LiveKitLine": "livekit_line",
    "Meter": "meter",
    "Renderings": "renderings",
    "ServerApi": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'onhook.livekit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"onhook.livekit.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value

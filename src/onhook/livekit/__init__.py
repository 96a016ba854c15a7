"""The only place, beside the guard, that talks to LiveKit."""

from __future__ import annotations

from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.livekit.line import LiveKitLine
from onhook.livekit.meter import Listener, Meter
from onhook.livekit.renderings import Renderings

__all__ = ["Credentials", "Listener", "LiveKitLine", "Meter", "Renderings", "ServerApi"]

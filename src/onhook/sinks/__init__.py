"""Sinks of the rescue events: they look on, and never disturb a rescue."""

from __future__ import annotations

from onhook.sinks.log import LoggingObserver
from onhook.sinks.observer import Observer, ObserverSink

__all__ = ["LoggingObserver", "Observer", "ObserverSink"]

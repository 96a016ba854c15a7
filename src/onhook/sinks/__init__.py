"""Observers: they look on, and never disturb a rescue."""

from __future__ import annotations

from onhook.sinks.log import LoggingObserver
from onhook.sinks.sink import Observer

__all__ = ["LoggingObserver", "Observer"]

"""Observers: they look on, and never disturb a rescue."""

from __future__ import annotations

from onhook.observe.base import Observer
from onhook.observe.log import LoggingObserver

__all__ = ["LoggingObserver", "Observer"]

"""The real servers on loopback: redis-server, livekit-server and livekit-sip."""

from __future__ import annotations

from onhook.stack.errors import StackError
from onhook.stack.routing import Route
from onhook.stack.stack import Stack
from onhook.stack.state import StackState, running

__all__ = ["Route", "Stack", "StackError", "StackState", "running"]

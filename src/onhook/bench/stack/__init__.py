"""The real servers on loopback: redis-server, livekit-server and livekit-sip."""

from __future__ import annotations

from onhook.bench.stack.routing import Route
from onhook.bench.stack.running_stacks import StackState, running
from onhook.bench.stack.stack import Stack
from onhook.bench.stack.stack_errors import StackError

__all__ = ["Route", "Stack", "StackError", "StackState", "running"]

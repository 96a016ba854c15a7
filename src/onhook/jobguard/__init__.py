"""Ring 1: the guard, in the job's own process."""

from __future__ import annotations

from onhook.jobguard.agent_api import busy, explain, release, watch
from onhook.jobguard.decorator import Guarded, guard
from onhook.jobguard.switch import is_active, set_active

__all__ = ["Guarded", "busy", "explain", "guard", "is_active", "release", "set_active", "watch"]

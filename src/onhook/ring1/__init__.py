"""Ring 1: the guard, in the job's own process."""

from __future__ import annotations

from onhook.ring1.decorator import Guarded, guard
from onhook.ring1.switch import is_active, set_active
from onhook.ring1.within import busy, release, watch

__all__ = ["Guarded", "busy", "guard", "is_active", "release", "set_active", "watch"]

"""Ring 1: the guard, in the job's own process."""

from __future__ import annotations

from onhook.ring1.decorator import Guarded, guard
from onhook.ring1.switch import is_active, set_active

__all__ = ["Guarded", "guard", "is_active", "set_active"]

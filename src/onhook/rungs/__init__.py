"""The rungs: what can be done for a caller, one class each."""

from __future__ import annotations

from onhook.rungs.base import Climb, Rung
from onhook.rungs.keep import Keep
from onhook.rungs.release import DeleteRoom, HangUp, RemoveCallers
from onhook.rungs.say import APOLOGY, ONE_MOMENT, TIME_LIMIT, Say

__all__ = [
    "APOLOGY",
    "ONE_MOMENT",
    "TIME_LIMIT",
    "Climb",
    "DeleteRoom",
    "HangUp",
    "Keep",
    "RemoveCallers",
    "Rung",
    "Say",
]

"""The rungs: what can be done for a caller, one class each."""

from __future__ import annotations

from onhook.rungs.base import Climb, Rung
from onhook.rungs.hand_over import HandOver
from onhook.rungs.keep import Keep
from onhook.rungs.redispatch import Redispatch
from onhook.rungs.release import DeleteRoom, HangUp, RemoveCallers
from onhook.rungs.retry import Retry
from onhook.rungs.say import APOLOGY, ONE_MOMENT, TIME_LIMIT, Say
from onhook.rungs.transfer import Transfer

__all__ = [
    "APOLOGY",
    "ONE_MOMENT",
    "TIME_LIMIT",
    "Climb",
    "DeleteRoom",
    "HandOver",
    "HangUp",
    "Keep",
    "Redispatch",
    "RemoveCallers",
    "Retry",
    "Rung",
    "Say",
    "Transfer",
]

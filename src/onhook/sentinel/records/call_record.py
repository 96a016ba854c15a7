"""What is kept of one call after its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from onhook.call import Direction
from onhook.faults import Fault
from onhook.incident import Ending

__all__ = ["CallRecord", "EndedBy"]

_SAVED: tuple[Ending, ...] = ("released", "transferred", "taken_over", "recovered")
"""Endings of a rescue after which nobody is left on a dead line."""


class EndedBy(StrEnum):
    """Who ended a call."""

    CALLER = "caller"
    """The far end hung up, whoever had dialled."""
    AGENT = "agent"
    """The agent, or its developer's code, removed the leg or deleted the room."""
    COLLEAGUE = "colleague"
    """Somebody did who was in the room, or who runs the server, while no agent was there."""
    ONHOOK = "onhook"
    """A rescue of the guard, the watchdog or the sentinel released the line."""
    CARRIER = "carrier"
    """The trunk refused or lost the call, or the callee did not answer, was busy or declined."""
    NOBODY = "nobody"
    """The server ended the call by itself: it had rung for too long, or the server was ended."""
    UNKNOWN = "unknown"
    """The end was not seen, for example while no sentinel ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call. Times are seconds since 1970.

    Args:
        id: One for each call, the same in every sentinel: `ROOM_SID/LEG_SID`.
        room: Room name; numbers in it are masked unless `ONHOOK_NUMBERS=whole`.
        direction: Who dialled.
        number: The project's number: the one called, or shown to the callee. Whole: see
            `NumberMask` for whoever shows it.
        caller: The far end's number, masked unless `ONHOOK_NUMBERS=whole`.
        trunk: Id of the SIP trunk.
        agent: Name under which the agent's worker is registered; empty where none came.
        host: Id of the watchdog that answered for the agent's host; empty where none did.
        began_at: When the caller's leg came, by the server's clock.
        answered_at: When it was answered, as far as it was seen; `None` if it never was.
        ended_at: When the leg ended.
        ended_by: Who ended it.
        fault: What went wrong; empty if nothing did.
        incident: Id of its incident.
        ring: Who rescued, the last one: `guard`, `watchdog` or `sentinel`.
        mode: `act`, or `observe` where nothing was to be done; empty without a fault.
        rescue: The rungs that were climbed, such as `Say → HangUp`.
        outcome: How the rescue ended; empty without a fault, and while it was not told.
        ringing: Seconds of ringing, whole.
        silent: Seconds of dead air because of the fault; see `dead_air.py`.
        billed_after_fault: Seconds from the fault to the end, of an answered call.
    """

    id: str
    room: str
    direction: Direction = Direction.UNKNOWN
    number: str = ""
    caller: str = ""
    trunk: str = ""
    agent: str = ""
    host: str = ""
    began_at: float
    answered_at: float | None = None
    ended_at: float
    ended_by: EndedBy = EndedBy.UNKNOWN
    fault: str = ""
    incident: str = ""
    ring: str = ""
    mode: str = ""
    rescue: str = ""
    outcome: str = ""
    ringing: float = 0.0
    silent: float = 0.0
    billed_after_fault: float = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether its caller had dead air because of a fault, or rang where no agent was."""
        return self.silent > 0 or self.fault == Fault.AGENT_ABSENT

    @property
    def is_rescued(self) -> bool:
        """Whether something went wrong, and onhook brought it to an end that left nobody there."""
        return bool(self.fault) and self.mode == "act" and self.outcome in _SAVED

    def to_json(self) -> Mapping[str, Any]:
        """Return it as JSON can hold it."""
        return dataclasses.asdict(self)

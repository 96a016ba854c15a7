"""What a detector finds from outside: a suspicion, until its confirmation agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from onhook.faults import Fault, Severity

__all__ = ["Need", "Suspicion"]


class Need(StrEnum):
    """What must agree before a suspicion becomes a failure: the second kind of evidence."""

    LISTING = "listing"
    """A fresh list of who is in the room, by which the same detector still suspects."""
    PROBE = "probe"
    """The call's agents, where any are in the room, show no life: they leave two questions each
    unanswered, and who has done so already sends no voice."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a pure detector finds. Nothing follows from it until `needs` are met.

    Args:
        fault: Which row of the fault matrix.
        room: Room name.
        detail: One sentence for the person who reads the log.
        evidence: Further facts as plain strings.
        since: Since when, in seconds of the sentinel's monotonic clock.
        needs: What must agree.
        severity: How bad it is for the caller.
    """

    fault: Fault
    room: str
    detail: str
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    since: float = 0.0
    needs: tuple[Need, ...] = (Need.LISTING,)
    severity: Severity = Severity.LOST

"""What a journal keeps, whatever it keeps it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

__all__ = ["Entry", "Journal", "Step"]


class Step(StrEnum):
    """What an entry tells."""

    OPENED = "opened"
    INTENT = "intent"
    RUNG = "rung"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of evidence.

    Args:
        incident: Incident id.
        step: What is told.
        at: Seconds of the monotonic clock.
        subject: The fault, the rung or the ending.
        result: The rung's result; empty for other steps.
        detail: One sentence.
    """

    incident: str
    step: Step
    at: float
    subject: str
    result: str = ""
    detail: str = ""


class Journal(Protocol):
    """Keeps entries in the order in which they were recorded. `record` must not block."""

    def record(self, entry: Entry) -> None:
        """Keep an entry."""
        ...

    def entries(self, incident: str) -> Sequence[Entry]:
        """Return what was recorded for an incident, oldest first."""
        ...

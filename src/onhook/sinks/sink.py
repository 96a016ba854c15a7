"""What an observer is told."""

from __future__ import annotations

from typing import Protocol

from onhook.incident import Incident, Outcome, RungReport

__all__ = ["Observer"]


class Observer(Protocol):
    """Is told of every stage of an incident, in order.

    Methods must return at once. What they raise is logged and goes no further.
    """

    def opened(self, incident: Incident) -> None:
        """An incident was opened; nothing has been done yet."""
        ...

    def intent(self, incident: Incident, rung: str) -> None:
        """A rung is about to be climbed."""
        ...

    def climbed(self, incident: Incident, report: RungReport) -> None:
        """A rung has ended, well or badly."""
        ...

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        """The incident has its one terminal outcome."""
        ...

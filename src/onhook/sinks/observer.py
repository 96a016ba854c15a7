"""What a user's observer is told, and how: one method a stage, from the stream of events."""

from __future__ import annotations

from typing import Protocol

from onhook.incident import Incident, Outcome, RungReport
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent

__all__ = ["Observer", "ObserverSink"]


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


class ObserverSink:
    """Tells an observer of one incident.

    Args:
        observer: The observer.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._incident: Incident | None = None
        self._reports: list[RungReport] = []

    def __repr__(self) -> str:
        return f"the observer {self._observer!r}"

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`."""
        if isinstance(event, Opened):
            self._incident = event.happened
            self._observer.opened(self._incident)
        if (incident := self._incident) is None:
            return
        match event:
            case Intent():
                self._observer.intent(incident, event.rung)
            case Climbed():
                self._reports.append(event.report)
                self._observer.climbed(incident, event.report)
            case Closed():
                told = (event.ending, event.detail, tuple(self._reports), event.failure)
                self._observer.closed(incident, Outcome(incident.id, *told))

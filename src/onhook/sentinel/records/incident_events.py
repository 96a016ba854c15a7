"""What was told of one incident, put in order: a fold over its events, whichever ring told them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from onhook.faults import Severity
from onhook.incident import Result
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent

__all__ = ["IncidentEvents"]

_MOST = 200
"""Events of one incident; of more, those that come last are left out."""


@dataclass(slots=True)
class IncidentEvents:
    """The events of one incident, each once, oldest first.

    Args:
        room: Room name.
    """

    room: str
    _events: list[RescueEvent] = field(default_factory=list)

    def take(self, event: RescueEvent) -> bool:
        """Take in an event; return whether it is new."""
        if len(self._events) >= _MOST or any(_is_same(event, known) for known in self._events):
            return False
        self._events.append(event)
        self._events.sort(key=lambda known: known.wall)
        return True

    @property
    def events(self) -> Sequence[RescueEvent]:
        """All of them."""
        return tuple(self._events)

    @property
    def opened(self) -> Opened | None:
        """How it began; `None` where that was not told."""
        return next((event for event in self._events if isinstance(event, Opened)), None)

    @property
    def closed(self) -> Closed | None:
        """How it ended; `None` while it is not, and where it was only handed to the next ring."""
        ends = [event for event in self._events if isinstance(event, Closed)]
        return next((event for event in reversed(ends) if event.ending != "handed_outward"), None)

    @property
    def outcome(self) -> str:
        """Its ending; `recovered` where the agent was heard again, empty while it goes on."""
        if (closed := self.closed) is None:
            return ""
        return "recovered" if closed.recovered and self.is_acted_on else closed.ending

    @property
    def is_acted_on(self) -> bool:
        """Whether something was to be done, and not only to be recorded."""
        return self.opened is not None and self.opened.mode == "act"

    @property
    def is_lost(self) -> bool:
        """Whether the agent could not speak any more."""
        return self.opened is not None and self.opened.failure.severity is Severity.LOST

    @property
    def ring(self) -> str:
        """Who has rescued, the last one."""
        return str(self._events[-1].ring) if self._events else ""

    @property
    def rungs(self) -> str:
        """What was climbed, such as `Say → HangUp`; what failed says so."""
        reports = [event.report for event in self._events if isinstance(event, Climbed)]
        return " → ".join(
            _name(report.rung) + ("" if report.result is Result.DONE else f" ({report.result})")
            for report in reports
        )

    @property
    def releases_since(self) -> float | None:
        """When it began to end the call, in seconds since 1970; `None` where it has not."""
        if not self.is_acted_on:
            return None
        ends = ("hang_up", "remove_callers", "delete_room")
        intents = (e.wall for e in self._events if isinstance(e, Intent) and e.rung in ends)
        return next(intents, None)

    @property
    def transferred_at(self) -> float | None:
        """When it had sent the caller elsewhere, in seconds since 1970; `None` where it has not."""
        closed = self.closed
        return closed.wall if closed is not None and closed.ending == "transferred" else None


def _is_same(one: RescueEvent, other: RescueEvent) -> bool:
    return (type(one), one.wall, one.at, one.ring) == (
        *(type(other), other.wall, other.at),
        other.ring,
    )


def _name(rung: str) -> str:
    return "".join(part.capitalize() for part in rung.split("_"))

"""How far a rescue came, and what is left of it: a fold over its events, for whoever goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onhook.errors import OnhookError
from onhook.incident import Ending, Result, RungReport
from onhook.ladder import Ladder
from onhook.rescue.events import Climbed, Intent, Opened, RescueEvent
from onhook.rungs import Rung

__all__ = ["PendingRung", "Progress", "rest", "settled"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rescuer came.

    Args:
        ladder: The ladder that it climbs.
        reports: What its rungs did, in order.
        begun: The rung that it meant to climb and told no outcome of; empty when there is none.
    """

    ladder: Ladder
    reports: tuple[RungReport, ...] = ()
    begun: str = ""

    @classmethod
    def of(cls, events: Iterable[RescueEvent]) -> Progress:
        """Fold the events of one incident.

        Raises:
            OnhookError: None of them opens it.
        """
        ladder: Ladder | None = None
        reports: list[RungReport] = []
        begun = ""
        for event in events:
            match event:
                case Opened():
                    ladder = event.ladder
                case Intent():
                    begun = event.rung
                case Climbed():
                    begun = ""
                    reports.append(event.report)
        if ladder is None:
            raise OnhookError("no event tells how this incident began: nobody can go on with it")
        return cls(ladder, tuple(reports), begun)


@dataclass(frozen=True, slots=True)
class PendingRung:
    """One rung that is still to be climbed.

    Args:
        rung: The rung.
        resumed: Whether it was begun before and nobody knows how far it came.
    """

    rung: Rung
    resumed: bool = False


def rest(past: Progress) -> tuple[PendingRung, ...]:
    """Return what is left to climb: no rung whose outcome is known, but always the last one.

    A rung that was cancelled for a hurried release has been left out on purpose, and stays so.

    Args:
        past: How far an earlier rescuer came.
    """
    rungs = past.ladder.rungs
    place = 0
    for report in past.reports:
        place = _find(past, report.rung, place) + 1
    begun = bool(past.begun)
    place = _find(past, past.begun, place) if begun else min(place, len(rungs) - 1)
    return (PendingRung(rungs[place], begun), *(PendingRung(rung) for rung in rungs[place + 1 :]))


def settled(past: Progress) -> tuple[Ending, str] | None:
    """Return how the incident had ended already, and the report's words, if it had.

    Args:
        past: How far an earlier rescuer came.
    """
    kinds = {rung.name: rung for rung in past.ladder.rungs}
    for report in past.reports:
        ending = kinds[report.rung].settles if report.rung in kinds else None
        if report.result is Result.DONE and ending is not None:
            return ending, report.detail
    return None


def _find(past: Progress, name: str, place: int) -> int:
    """Return where a recorded rung stands, not before `place`; the last may be tried twice."""
    rungs = past.ladder.rungs
    found = (i for i in range(place, len(rungs)) if rungs[i].name == name)
    return next(found, len(rungs) - 1)

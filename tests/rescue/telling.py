"""Events of a rescue as tests tell them, and a sink that keeps what it is told."""

from __future__ import annotations

from typing import Any

from onhook.incident import Incident, Outcome, RungReport
from onhook.ladder import Ladder
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent, Ring


def opened(incident: Incident, ladder: Ladder, at: float = 0.0) -> Opened:
    return Opened(
        **about(incident.id, at), failure=incident.failure, call=incident.call, ladder=ladder
    )


def intent(incident: str, rung: str, at: float = 0.0) -> Intent:
    return Intent(**about(incident, at), rung=rung)


def climbed(incident: str, report: RungReport, at: float = 0.0) -> Climbed:
    return Climbed(**about(incident, at), report=report)


def closed(outcome: Outcome, at: float = 0.0) -> Closed:
    return Closed(**about(outcome.incident, at), ending=outcome.ending, detail=outcome.detail)


def about(incident: str, at: float = 0.0) -> dict[str, Any]:
    return {"incident": incident, "at": at, "wall": 1.7e9 + at, "ring": Ring.GUARD}


def story(
    incident: Incident, ladder: Ladder, reports: tuple[RungReport, ...] = (), begun: str = ""
) -> list[RescueEvent]:
    """A guard's rescue as far as it came."""
    told: list[RescueEvent] = [opened(incident, ladder)]
    for number, report in enumerate(reports):
        told.append(climbed(incident.id, report, at=float(number)))
    return [*told, intent(incident.id, begun)] if begun else told


class Kept:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[RescueEvent] = []

    def handle(self, event: RescueEvent) -> None:
        self.events.append(event)

    @property
    def kinds(self) -> list[type[RescueEvent]]:
        return [type(event) for event in self.events]

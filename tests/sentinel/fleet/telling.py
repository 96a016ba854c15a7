"""Incidents, events and outcomes as the tests of claims tell them."""

from __future__ import annotations

from onhook.call import Call
from onhook.faults import Fault
from onhook.incident import Ending, Failure, Incident, Outcome, Result, RungReport
from onhook.ladder import Ladder
from onhook.rescue.events import Climbed, Intent, RescueEvent
from onhook.rungs import HangUp, Say
from tests.fakes import caller
from tests.rescue import telling

LADDER = Ladder((Say("one"), HangUp()))


def incident(call: str = "RM_1") -> Incident:
    failure = Failure(Fault.WORKER_DIED, "nobody came", 1.0, evidence={"since": "8 s"})
    return Incident(failure, Call("call-1", (caller(),)), f"inc_{call}")


def opened(call: str = "RM_1", at: float = 1.0) -> RescueEvent:
    return telling.opened(incident(call), LADDER, at)


def intent(call: str = "RM_1", rung: str = "say", at: float = 2.0) -> Intent:
    return telling.intent(incident(call).id, rung, at)


def climbed(call: str = "RM_1", rung: str = "say", at: float = 3.0) -> Climbed:
    report = RungReport(rung, Result.DONE, "said", at - 1, at)
    return telling.climbed(incident(call).id, report, at)


def outcome(call: str = "RM_1", ending: Ending = "released", detail: str = "gone") -> Outcome:
    return Outcome(incident(call).id, ending, detail)

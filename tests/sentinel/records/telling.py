"""Calls and rescues as the tests of call records tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onhook.call import Call
from onhook.faults import Fault, Severity
from onhook.incident import Ending, Failure, Mode, Result, RungReport
from onhook.ladder import Ladder
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent, Ring
from onhook.rungs import HangUp, Say
from onhook.sentinel.call_legs import CallLeg
from onhook.sentinel.records.incident_events import IncidentEvents
from tests.sentinel.test_calls import SID, R, phone

WALL = 1_700_000_000.0
"""Seconds since 1970 at zero of the sentinel's clock, as in `tests.sentinel.world`."""
HOST = 50_000.0
"""The monotonic clock of the agents' host at that moment."""
LADDER = Ladder((Say("Sorry."), HangUp()))


def leg(**more: Any) -> CallLeg:
    told: dict[str, Any] = {"room": R, "room_sid": SID, "member": phone(), "since": 10.0, **more}
    return CallLeg(**told)


def about(at: float, incident: str = "inc_1", ring: Ring = Ring.GUARD) -> dict[str, Any]:
    return {"incident": incident, "at": HOST + at, "wall": WALL + at, "ring": ring}


def opened(
    at: float,
    *,
    fault: Fault = Fault.JOB_DIED,
    silent_since: float | None = None,
    severity: Severity = Severity.LOST,
    mode: Mode = "act",
    room: str = R,
    **who: Any,
) -> Opened:
    since = None if silent_since is None else HOST + silent_since
    failure = Failure(fault, "it went wrong", HOST + at, severity=severity, silent_since=since)
    told = about(at, **who)
    return Opened(**told, failure=failure, call=Call(room), ladder=LADDER, mode=mode)


def said(begin: float, end: float, **who: Any) -> Climbed:
    sound = (HOST + begin, HOST + end)
    report = RungReport("say", Result.DONE, "said", HOST + begin - 0.2, HOST + end + 0.3, sound)
    return Climbed(**about(end + 0.3, **who), report=report)


def climbed(rung: str, at: float, result: Result = Result.DONE, **who: Any) -> Climbed:
    report = RungReport(rung, result, "done", HOST + at - 0.1, HOST + at)
    return Climbed(**about(at, **who), report=report)


def intent(rung: str, at: float, **who: Any) -> Intent:
    return Intent(**about(at, **who), rung=rung)


def closed(
    at: float, ending: Ending = "released", *, recovered: bool = False, **who: Any
) -> Closed:
    return Closed(**about(at, **who), ending=ending, detail="so it ended", recovered=recovered)


def rescue(at: float, words: tuple[float, float], end: float, **how: Any) -> list[RescueEvent]:
    """A rescue with words and a release."""
    return [
        opened(at, **how),
        intent("say", at),
        said(*words),
        intent("hang_up", end - 0.1),
        climbed("hang_up", end),
        closed(end),
    ]


def incident(events: Sequence[RescueEvent], room: str = R) -> IncidentEvents:
    told = IncidentEvents(room)
    for event in events:
        assert told.take(event)
    return told

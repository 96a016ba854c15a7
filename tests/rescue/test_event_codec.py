from __future__ import annotations

from dataclasses import replace

import pytest

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome, Result, RungReport
from onhook.ladder import Ladder
from onhook.rescue.event_codec import LIMIT, EventError, decode, encode
from onhook.rescue.events import Climbed, Opened, RescueEvent, Resumed, Ring
from onhook.rungs import HangUp, Say, Transfer
from tests.fakes import caller, human
from tests.rescue.telling import about, climbed, closed, intent, opened

LADDER = Ladder((Say("one", tts_deadline=2.0), Transfer("tel:+15550100"), HangUp()))
FAILURE = Failure(Fault.JOB_DIED, "killed", 1.5, evidence={"signal": "9"}, traceback="")
REPORT = RungReport("say", Result.TIMED_OUT, "not done within 20 s", 2.0, 22.0)
EVENTS: list[RescueEvent] = [
    opened(Incident(FAILURE, Call("call-1", (caller(), human())), "inc"), LADDER),
    intent("inc", "say", 2.0),
    climbed("inc", REPORT, 22.0),
    Resumed(**about("inc", 23.0), rung="say", detail="it died"),
    closed(Outcome("inc", "released", "gone"), 24.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_the_way(event: RescueEvent) -> None:
    assert decode(encode(event)) == event
    assert encode(decode(encode(event))) == encode(event), "it would be kept twice"


def test_the_exception_stays_here_and_its_traceback_travels() -> None:
    try:
        raise RuntimeError("it broke")
    except RuntimeError as error:
        failure = Failure(Fault.ENTRYPOINT_RAISED, "x", 0.0, error)
    event = decode(encode(opened(Incident(failure, Call("room"), "inc"), LADDER)))
    assert isinstance(event, Opened)
    assert event.failure.error is None
    assert "RuntimeError: it broke" in event.failure.traceback


def test_of_what_is_too_long_that_stays_which_is_needed_to_go_on() -> None:
    crowd = tuple(human(f"listener-{number}-{'x' * 200}") for number in range(500))
    failure = replace(FAILURE, evidence={str(n): "y" * 3_000 for n in range(30)})
    call = Call("call-1", (*crowd, caller()), agent="agent-1")
    event = decode(encode(opened(Incident(failure, call, "inc"), LADDER)))
    assert isinstance(event, Opened)
    assert event.ladder == LADDER
    assert (event.failure.fault, event.failure.detail) == (Fault.JOB_DIED, "killed")
    assert [leg.identity for leg in event.call.callers] == ["sip_1"]
    assert not event.call.complete, "who else was there is not known any more"
    assert event.call.agent == "agent-1"


def test_a_long_report_is_shortened() -> None:
    report = replace(REPORT, detail="é" * LIMIT)
    event = decode(encode(climbed("inc", report)))
    assert isinstance(event, Climbed)
    assert len(event.report.detail) < 1000


def test_a_ladder_that_is_too_long_is_refused_and_named() -> None:
    ladder = Ladder((*(Say("words " * 700) for _ in range(30)), HangUp()))
    with pytest.raises(EventError, match=r"^inc: an event of \d+ bytes cannot be kept"):
        encode(opened(Incident(FAILURE, Call("room"), "inc"), ladder))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"\xff", b'{"kind":"paused"}', b'{"kind":"intent","incident":"x"}'),
        encode(EVENTS[0]).replace(b'\\"version\\": 1', b'\\"version\\": 2'),
        encode(EVENTS[1]).replace(b'"ring":"guard"', b'"ring":"moon"'),
        encode(EVENTS[1]).replace(b'"at":2.0', b'"at":1e999'),
    ],
)
def test_what_is_no_event_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(OnhookError, match="no event of a rescue"):
        decode(data)


def test_the_ring_is_kept() -> None:
    event = decode(encode(EVENTS[1]))
    assert event.ring is Ring.GUARD

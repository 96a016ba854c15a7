from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from onhook.faults import Fault, Severity
from onhook.rescue.events import RescueEvent, Ring
from onhook.sentinel.records.dead_air import dead_air, failed_at
from tests.sentinel.records.telling import WALL, closed, incident, opened, rescue, said

SOFT = Severity.IMPAIRED


@pytest.mark.parametrize(
    ("what", "events", "seconds"),
    [
        ("killed, words, released", rescue(20.0, (20.5, 24.0), 24.4), 1.5),
        ("owed since before", rescue(20.0, (20.5, 24.0), 24.4, silent_since=14.0), 7.5),
        ("no words", [opened(20.0), closed(20.3)], 5.0),
        ("owed while it rang", rescue(20.0, (20.5, 24.0), 24.4, silent_since=2.0), 12.5),
        (
            "the agent is heard again",
            [
                opened(10.0, severity=SOFT, silent_since=9.5),
                said(10.5, 12.0),
                closed(12.3, "kept"),
                closed(15.0, "kept", recovered=True),
            ],
            4.0,
        ),
        ("another agent takes over", [opened(18.0), closed(22.0, "taken_over")], 4.0),
        ("too long a call", rescue(20.0, (20.5, 24.0), 24.4, fault=Fault.CALL_OVERLONG), 1.0),
        ("only observed", [opened(20.0, mode="observe"), closed(20.0, "observed")], 5.0),
    ],
)
def test_one_incident(what: str, events: Sequence[RescueEvent], seconds: float) -> None:
    told = dead_air([incident(events)], answered_at=WALL + 10.0 - 1.0, ended_at=WALL + 25.0)
    assert told == pytest.approx(seconds), what


def test_a_line_that_is_not_answered_has_no_dead_air() -> None:
    told = incident(rescue(20.0, (20.5, 24.0), 24.4))
    assert dead_air([told], answered_at=None, ended_at=WALL + 25.0) == 0
    answered = dead_air([told], answered_at=WALL + 20.4, ended_at=WALL + 25.0)
    assert answered == pytest.approx(0.1 + 1.0)


def test_soft_words_and_then_the_end_count_once() -> None:
    soft: list[RescueEvent] = [
        opened(10.0, incident="inc_0", severity=SOFT, silent_since=4.0),
        said(10.2, 12.2, incident="inc_0"),
        closed(12.5, "kept", incident="inc_0"),
    ]
    lost = rescue(30.0, (30.5, 34.0), 34.5, silent_since=12.2)
    told = dead_air([incident(soft), incident(lost)], answered_at=WALL, ended_at=WALL + 34.6)
    assert told == pytest.approx(6.2 + 18.3 + 0.6)


def test_a_loop_that_is_back_is_silent_no_more() -> None:
    who: dict[str, Any] = {"ring": Ring.WATCHDOG, "incident": "inc_w"}
    words: list[RescueEvent] = [
        opened(10.0, severity=SOFT, fault=Fault.JOB_HUNG, silent_since=7.0, **who),
        said(10.5, 12.0, **who),
        closed(12.3, "kept", **who),
    ]
    told = dead_air([incident(words)], answered_at=WALL, ended_at=WALL + 90.0)
    assert told == pytest.approx(3.5 + 0.3)
    lost = rescue(22.0, (22.5, 26.0), 26.4, fault=Fault.JOB_HUNG, silent_since=7.0)
    both = dead_air([incident(words), incident(lost)], answered_at=WALL, ended_at=WALL + 26.5)
    assert both == pytest.approx(3.5 + 10.5 + 0.5)


def test_the_clock_of_another_ring_is_another() -> None:
    """Two rings may have two monotonic clocks: each event bears both times."""
    events: list[Any] = rescue(20.0, (20.5, 24.0), 24.4)
    last = msgspec.structs.replace(events[-1], at=7.0, ring=Ring.SENTINEL)
    told = incident([*events[:-1], last])
    assert dead_air([told], answered_at=WALL, ended_at=WALL + 25.0) == pytest.approx(1.5)
    assert failed_at(told) == pytest.approx(WALL + 20.0)
    assert failed_at(incident([closed(3.0)])) is None


def test_no_incident_no_dead_air() -> None:
    assert dead_air([], answered_at=WALL, ended_at=WALL + 9) == 0
    assert dead_air([incident([closed(3.0)])], answered_at=WALL, ended_at=WALL + 9) == 0

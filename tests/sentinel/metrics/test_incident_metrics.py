from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from onhook.call import Call
from onhook.faults import Fault
from onhook.incident import Ending, Failure
from onhook.ladder import Ladder
from onhook.rescue.events import Closed, Opened, RescueEvent, Resumed, Ring
from onhook.rungs import HangUp
from onhook.sentinel.attendance import Attended
from onhook.sentinel.metrics import incident_metrics
from onhook.sentinel.metrics.incident_metrics import IncidentMetrics


def opened(incident: str = "inc_1", ring: Ring = Ring.GUARD, **more: Any) -> Opened:
    failure = Failure(Fault.LLM_FAILED, "it broke", 100.0)
    return Opened(
        incident=incident,
        at=100.5,
        wall=1_000_000.5,
        ring=ring,
        failure=failure,
        call=Call("room"),
        ladder=Ladder.of([HangUp()]),
        **more,
    )


def closed(
    ending: Ending = "released", ring: Ring = Ring.GUARD, wall: float = 1_000_004.0
) -> Closed:
    # `at` is of another host: only the wall clock counts
    return Closed(incident="inc_1", at=7.0, wall=wall, ring=ring, ending=ending, detail="")


class Told:
    def __init__(self, *events: RescueEvent) -> None:
        self.registry = CollectorRegistry()
        self.metrics = IncidentMetrics(self.registry)
        for event in events:
            self.metrics.handle(event)

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"onhook_{name}", labels)

    def closed(self, ring: str, outcome: str, mode: str = "act") -> float | None:
        return self("incidents_total", fault="llm.failed", ring=ring, outcome=outcome, mode=mode)


def test_an_incident_is_counted_once_however_often_it_is_told() -> None:
    told = Told(opened(), closed(), opened(), closed())
    assert told("incidents_opened_total", fault="llm.failed", ring="guard", mode="act") == 1
    assert told.closed("guard", "released") == 1
    assert told("time_to_safe_seconds_count", ring="guard") == 1
    assert told("time_to_safe_seconds_sum", ring="guard") == pytest.approx(4.0), "from the fault"


def test_what_a_ring_hands_outward_and_the_next_one_ends_is_told_of_both() -> None:
    resumed = Resumed(
        incident="inc_1", at=8.0, wall=1_000_005.0, ring=Ring.WATCHDOG, rung="", detail=""
    )
    outward, released = closed("handed_outward"), closed(ring=Ring.WATCHDOG, wall=1_000_009.0)
    told = Told(opened(), outward, opened(), resumed, released)
    assert told.closed("guard", "handed_outward") == told.closed("watchdog", "released") == 1
    assert told("rescues_failed_total", ring="guard") == 1
    assert told("time_to_safe_seconds_count", ring="guard") == 0
    assert told("time_to_safe_seconds_sum", ring="watchdog") == pytest.approx(9.0)


def test_what_was_only_observed_is_not_safe() -> None:
    told = Told(opened(mode="observe"), closed("observed"))
    assert told.closed("guard", "observed", "observe") == 1
    assert told("time_to_safe_seconds_count", ring="guard") == 0


def test_an_end_without_its_beginning_is_left_out() -> None:
    assert Told(closed()).closed("guard", "released") is None


def test_a_sentinels_own_time_begins_with_the_silence() -> None:
    told = Told()
    told.metrics.attended(Attended(Fault.AGENT_ABSENT, "act", "released", 8.5, 12.0))
    told.metrics.attended(Attended(Fault.AGENT_ABSENT, "act", "handed_outward", 8.5, 30.0))
    assert told("time_to_safe_seconds_sum", ring="sentinel") == 12.0
    assert told("detection_lag_seconds_count", fault="agent.absent") == 2


def test_what_alerts_look_at_is_there_from_the_start() -> None:
    told = Told()
    for ring in Ring:
        assert told("rescues_failed_total", ring=ring) == 0
    assert told("incidents_opened_total", fault="agent.absent", ring="sentinel", mode="act") == 0


def test_only_so_many_incidents_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_metrics, "_REMEMBERED", 10)
    told = Told(*(opened(f"inc_{n}") for n in range(50)))
    assert len(told.metrics._known) == 10


def test_of_several_sentinels_that_hear_of_it_the_one_that_leads_counts() -> None:
    told, leading = Told(), [False]
    told.metrics._leads = lambda: leading[0]
    told.metrics.handle(opened())
    leading[0] = True  # the other one has died
    told.metrics.handle(closed())
    assert told("incidents_opened_total", fault="llm.failed", ring="guard", mode="act") == 0
    assert told.closed("guard", "released") == 1
    told.metrics._leads = lambda: False
    told.metrics.handle(closed("kept"))
    assert told.closed("guard", "kept") is None

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry

from onhook.call import Direction
from onhook.sentinel.metrics.call_metrics import CallMetrics
from onhook.sentinel.metrics.label_values import LabelValues
from onhook.sentinel.records.call_record import CallRecord, EndedBy

WELL = CallRecord(
    id="RM_1/PA_1",
    room="call-1",
    direction=Direction.INBOUND,
    number="+15550100",
    agent="support",
    began_at=1_000.0,
    ended_at=1_060.0,
    ended_by=EndedBy.CALLER,
)
SILENT = replace(
    WELL, id="RM_2/PA_2", fault="llm.failed", silent=4.5, billed_after_fault=7.0,
    ended_by=EndedBy.ONHOOK,
)  # fmt: skip


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"onhook_{name}_total", labels)


def test_who_ended_a_call_and_how_long_it_was_silent() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, LabelValues())
    for record in (WELL, SILENT):
        metrics.ended(record)
    ended = {"direction": "inbound", "agent": "support"}
    assert sample(registry, "calls_ended", ended_by="caller", **ended) == 1
    assert sample(registry, "calls_ended", ended_by="onhook", **ended) == 1
    assert sample(registry, "silent_calls", agent="support") == 1
    assert sample(registry, "dead_air_seconds", agent="support") == 4.5
    assert sample(registry, "billed_after_fault_seconds", agent="support") == 7.0


def test_what_is_learned_later_is_added_and_nothing_goes_back() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry, LabelValues())
    metrics.ended(WELL)
    later = replace(WELL, fault="llm.failed", silent=3.0)
    metrics.amended(later)
    metrics.amended(replace(later, silent=2.0))
    metrics.amended(replace(later, silent=3.0))
    metrics.amended(SILENT)  # another sentinel has counted it
    assert sample(registry, "silent_calls", agent="support") == 1
    assert sample(registry, "dead_air_seconds", agent="support") == 3.0

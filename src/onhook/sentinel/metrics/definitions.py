"""Every metric of a sentinel: name, type, labels, help. docs/metrics.md is the same for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

__all__ = ["METRICS", "Metric", "counter", "family", "histogram"]

_SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0)
"""Bounds of the histograms: callers hang up on silence within 40 s, most of them earlier."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Args:
        name: As Prometheus shows it; of a histogram without `_bucket`, `_sum` and `_count`.
        kind: Its type.
        help: What it says, with its unit.
        labels: Names of its labels.
        buckets: Upper bounds of a histogram, in seconds.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _SECONDS


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"onhook_{name}_total", "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"onhook_{name}", "gauge", text, labels)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Metric:
    return Metric(f"onhook_{name}_seconds", "histogram", text, labels, buckets)


_ALL = (
    _gauge(
        "sentinel_info", "Always 1; the labels tell the version and the mode.", "version", "mode"
    ),
    _gauge("sentinel_ready", "Whether /readyz answers 200."),
    # calls
    _gauge(
        "sentinel_tracked_calls", "Rooms that this sentinel knows of, with or without a caller."
    ),
    _gauge(
        "sentinel_calls",
        "Calls by their state in the table of judgement; of the sentinel that leads.",
        "state",
    ),
    _gauge(
        "sentinel_suspected_calls",
        "Calls of which a fault is suspected now, left as they are on purpose not counted; of the "
        "sentinel that leads.",
        "fault",
    ),
    _gauge(
        "sentinel_longest_wait_seconds",
        "Seconds for which the suspected call that waits longest has waited; 0 for none.",
    ),
    _gauge("sentinel_hosts", "Hosts whose watchdogs send leases.", "state"),
    # incidents
    _counter("incidents_opened", "Incidents that were opened.", "fault", "ring", "mode"),
    _counter("incidents", "Incidents by outcome.", "fault", "ring", "outcome", "mode"),
    _counter("rescues_failed", "Rescues that could not release the line (handed_outward).", "ring"),
    _histogram(
        "time_to_safe",
        "Seconds from the fault until the caller was on no dead line any more; with ring=sentinel "
        "from the beginning of the silence, else from the moment that the fault was noticed.",
        "ring",
    ),
    _histogram(
        "detection_lag",
        "Seconds from the beginning of the silence until the sentinel had judged and confirmed it.",
        "fault",
    ),
    _counter("sentinel_suspicions_unconfirmed", "Suspicions that the server did not agree with."),
    _gauge("sentinel_attended_calls", "Calls that are attended to now; 64 at most."),
    _gauge(
        "sentinel_attendance_queue", "Suspected calls that wait because so many are attended to."
    ),
    _counter("sentinel_claims_lost", "Rescues that were left to another sentinel half way."),
    _counter("sentinel_second_dispatches", "Second dispatches that were sent."),
    _counter("sentinel_scanners_removed", "Calls by no trunk that were removed unanswered."),
    # what is heard
    _counter("sentinel_webhooks", "Webhooks that were taken.", "event"),
    _counter("sentinel_leases", "Leases of hosts that were taken."),
    _counter(
        "sentinel_requests_refused", "Webhooks, leases and others refused.", "source", "reason"
    ),
    _counter("sentinel_requests_failed", "Webhooks and leases that could not be taken, for a bug."),
    _gauge("sentinel_last_webhook_timestamp_seconds", "When the latest webhook came; 0 for never."),
    # LiveKit's API
    _counter("sentinel_polls", "Rounds of polling; result is ok or failed.", "result"),
    _gauge(
        "sentinel_last_poll_timestamp_seconds",
        "When the latest list of rooms that was answered was asked for; 0 for never.",
    ),
    _gauge("sentinel_poll_failing", "Whether the latest round of polling has failed."),
    _counter("sentinel_api_requests", "Requests to LiveKit's API, by use.", "use"),
    _counter("sentinel_api_requests_held_back", "Requests not sent for want of budget.", "use"),
    _gauge("sentinel_api_budget_requests", "Requests to LiveKit's API that are allowed a minute."),
    _gauge(
        "sentinel_api_budget_left_requests",
        "Requests that could be sent at once; below 0 while those of rescues are paid back.",
    ),
    _gauge("sentinel_breaker_open", "Whether suspicions are not followed, because the API fails."),
    # agents
    _gauge("sentinel_canary_takes_calls", "Whether an agent took its latest canary call.", "agent"),
    _counter("sentinel_canaries", "Canary calls by result.", "agent", "result"),
    _gauge("sentinel_canary_duration_seconds", "Seconds of an agent's latest canary.", "agent"),
    _gauge("sentinel_canary_timestamp_seconds", "When an agent's latest canary ended.", "agent"),
    # switches and fleet
    _gauge("sentinel_outages", "Outages that are switched on.", "scope"),
    _gauge(
        "sentinel_oldest_outage_timestamp_seconds",
        "When the oldest outage that is on was switched on; 0 for none.",
    ),
    _gauge("sentinel_plan_file_problem", "Whether the file of plans as it is now is not in force."),
    _gauge("sentinel_leads", "Whether this sentinel polls and judges; of a fleet, one does."),
    _gauge("sentinel_fleet_degraded", "Whether Redis is out of reach, so that it goes on alone."),
    _gauge("sentinel_fleet_members", "Sentinels of its fleet that live; 1 for a single one."),
    _counter(
        "sentinel_fleet_sightings", "Sightings told to the others and heard of them.", "result"
    ),
    # calls that have ended
    _counter(
        "calls_ended", "Calls that have ended, by who ended them.", "ended_by", "direction", "agent"
    ),
    _counter("silent_calls", "Calls that have ended and had dead air because of a fault.", "agent"),
    _counter("dead_air_seconds", "Seconds of dead air of the calls that have ended.", "agent"),
    _counter("billed_after_fault_seconds", "Seconds billed after the fault.", "agent"),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


def family(name: str) -> GaugeMetricFamily | CounterMetricFamily:
    """Return a new, empty family of a gauge or counter, for a collector.

    Args:
        name: The metric's whole name.
    """
    metric = METRICS[name]
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return make(metric.name, metric.help, labels=metric.labels)


def counter(name: str, registry: CollectorRegistry) -> Counter:
    """Return a counter that counts by itself.

    Args:
        name: The metric's whole name.
        registry: Where it is registered.
    """
    metric = METRICS[name]
    return Counter(metric.name, metric.help, metric.labels, registry=registry)


def histogram(name: str, registry: CollectorRegistry) -> Histogram:
    """Return a histogram.

    Args:
        name: The metric's whole name.
        registry: Where it is registered.
    """
    metric = METRICS[name]
    return Histogram(
        metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
    )

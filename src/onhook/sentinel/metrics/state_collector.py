"""How a sentinel is at the moment of a scrape: read from its parts, and kept nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from onhook.sentinel.canary import CanaryState
from onhook.sentinel.detectors import TABLE
from onhook.sentinel.metrics.definitions import family
from onhook.sentinel.metrics.label_values import LabelValues
from onhook.sentinel.parts import Parts
from onhook.sentinel.readiness import Readiness
from onhook.sentinel.signals.budget import Use
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.refusals import Reason
from onhook.version import VERSION

__all__ = ["StateCollector"]

_EVENTS = (
    *("room_started", "room_finished", "participant_joined", "participant_left"),
    *("track_published", "track_unpublished"),
)
"""Events that are there from the start with 0; of others the first one shows nothing."""
_CANARY = {
    CanaryState.TAKES_CALLS: "takes_calls",
    CanaryState.NOT_TAKEN: "not_taken",
    CanaryState.NOT_JOINED: "not_joined",
    CanaryState.UNGUARDED: "unguarded",
    CanaryState.UNKNOWN: "unknown",
}
_SCOPES = ("all", "number", "trunk", "tag")

_Samples = Iterable[tuple[tuple[str, ...], float]]


class StateCollector(Collector):
    """Collects what the parts of a sentinel know.

    Args:
        parts: They.
        receiver: What it has heard.
        readiness: Whether it is ready.
        agents: Bounds the names of agents.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        parts: Parts,
        receiver: Receiver,
        readiness: Readiness,
        agents: LabelValues,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._parts = parts
        self._receiver = receiver
        self._readiness = readiness
        self._agents = agents
        self._wall = wall

    def describe(self) -> Iterator[Family]:
        """Name the families without reading anything; see `prometheus_client`."""
        for read in self._readers():
            for name in read:
                yield family(name)

    def collect(self) -> Iterator[Family]:
        """Read everything; see `prometheus_client`."""
        for read in self._readers():
            for name, value in read.items():
                found = family(name)
                for labels, number in _samples(value):
                    found.add_metric(labels, number)
                yield found

    def _readers(self) -> Iterator[Mapping[str, float | _Samples]]:
        yield self._of_itself()
        yield self._of_calls()
        yield self._of_attendance()
        yield self._of_signals()
        yield self._of_api()
        yield self._of_canaries()
        yield self._of_switches()
        yield self._of_fleet()

    def _of_itself(self) -> Mapping[str, float | _Samples]:
        mode = "observe" if self._parts.given.observe else "act"
        return {
            "onhook_sentinel_info": [((VERSION, mode), 1.0)],
            "onhook_sentinel_ready": float(not self._readiness.reasons()),
        }

    def _of_calls(self) -> Mapping[str, float | _Samples]:
        parts = self._parts
        now, found = parts.clock(), parts.watch.states
        faults = dict.fromkeys(row.fault for row in TABLE if row.fault is not None)
        return {
            "onhook_sentinel_tracked_calls": len(parts.table),
            "onhook_sentinel_calls": [
                ((row.label,), found.states.get(row.label, 0)) for row in TABLE
            ],
            "onhook_sentinel_suspected_calls": [
                ((fault,), found.suspected.get(fault, 0)) for fault in faults
            ],
            "onhook_sentinel_longest_wait_seconds": found.longest,
            "onhook_sentinel_hosts": [
                ((state,), count) for state, count in self._hosts(now).items()
            ],
        }

    def _of_attendance(self) -> Mapping[str, float | _Samples]:
        parts = self._parts
        attendance = parts.attendance
        return {
            "onhook_sentinel_suspicions_unconfirmed_total": attendance.unconfirmed,
            "onhook_sentinel_attended_calls": len(attendance.pool),
            "onhook_sentinel_attendance_queue": attendance.queued,
            "onhook_sentinel_claims_lost_total": attendance.claims_lost,
            "onhook_sentinel_second_dispatches_total": parts.second.sent,
            "onhook_sentinel_scanners_removed_total": parts.scanners.removed,
            "onhook_sentinel_breaker_open": float(attendance.breaker.open),
        }

    def _of_signals(self) -> Mapping[str, float | _Samples]:
        receiver = self._receiver
        events = {**dict.fromkeys(_EVENTS, 0), **receiver.events}
        return {
            "onhook_sentinel_webhooks_total": [((name,), n) for name, n in events.items()],
            "onhook_sentinel_leases_total": receiver.lease_count,
            "onhook_sentinel_requests_refused_total": [
                ((source, reason), refused.counts[reason])
                for source, refused in receiver.refused.items()
                for reason in Reason
            ],
            "onhook_sentinel_requests_failed_total": receiver.failed,
            "onhook_sentinel_last_webhook_timestamp_seconds": self._told_at(receiver.webhook_at),
        }

    def _of_api(self) -> Mapping[str, float | _Samples]:
        poll, budget = self._parts.poll, self._parts.budget
        return {
            "onhook_sentinel_polls_total": [
                ((result,), poll.counts[result]) for result in ("ok", "failed")
            ],
            "onhook_sentinel_last_poll_timestamp_seconds": self._told_at(poll.listed_at),
            "onhook_sentinel_poll_failing": float(poll.error is not None),
            "onhook_sentinel_api_requests_total": [((use,), budget.spent[use]) for use in Use],
            "onhook_sentinel_api_requests_held_back_total": [
                ((use,), budget.held_back[use]) for use in Use
            ],
            "onhook_sentinel_api_budget_requests": budget.per_minute,
            "onhook_sentinel_api_budget_left_requests": budget.left,
        }

    def _of_canaries(self) -> Mapping[str, float | _Samples]:
        canaries, agents = self._parts.canaries, self._agents
        latest = [(agents(agent), agent, told) for agent, told in canaries.latest.items()]
        return {
            "onhook_sentinel_canary_takes_calls": [
                ((label,), told.state is CanaryState.TAKES_CALLS)
                for label, _, told in latest
                if told.state is not CanaryState.UNKNOWN
            ],
            "onhook_sentinel_canaries_total": [
                ((label, word), canaries.counts[agent, state])
                for label, agent, _ in latest
                for state, word in _CANARY.items()
            ],
            "onhook_sentinel_canary_duration_seconds": [
                ((label,), told.seconds) for label, _, told in latest
            ],
            "onhook_sentinel_canary_timestamp_seconds": [
                ((label,), self._told_at(canaries.asked_at.get(agent)))
                for label, agent, _ in latest
            ],
        }

    def _of_switches(self) -> Mapping[str, float | _Samples]:
        plans = self._parts.plans
        outages = plans.outages
        return {
            "onhook_sentinel_outages": [
                ((scope,), sum(outage.scope == scope for outage in outages)) for scope in _SCOPES
            ],
            "onhook_sentinel_oldest_outage_timestamp_seconds": min(
                (outage.since for outage in outages), default=0.0
            ),
            "onhook_sentinel_plan_file_problem": float(bool(plans.problem)),
        }

    def _of_fleet(self) -> Mapping[str, float | _Samples]:
        fleet = self._parts.fleet
        health = fleet.health
        return {
            "onhook_sentinel_leads": float(fleet.leads),
            "onhook_sentinel_fleet_degraded": float(health is not None and health.degraded),
            "onhook_sentinel_fleet_members": 1 if health is None else len(health.members),
            "onhook_sentinel_fleet_sightings_total": [
                ((result,), n) for result, n in fleet.sightings.items()
            ],
        }

    def _hosts(self, now: float) -> Mapping[str, int]:
        """Count hosts; one whose watchdog has said goodbye is none any more."""
        known = [host for host in self._parts.table.hosts.standings(now) if not host.ended]
        covered = sum(host.covered for host in known)
        return {"covered": covered, "lapsed": len(known) - covered}

    def _told_at(self, at: float | None) -> float:
        """Return when something was by the sentinel's clock, in seconds since 1970; 0 for never."""
        return 0.0 if at is None else self._wall() - (self._parts.clock() - at)


def _samples(value: float | _Samples) -> _Samples:
    return [((), float(value))] if isinstance(value, int | float) else value

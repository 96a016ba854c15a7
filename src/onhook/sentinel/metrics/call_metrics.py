"""Calls that have ended as metrics: who ended them, and how long they were silent."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from onhook.sentinel.metrics.definitions import counter
from onhook.sentinel.metrics.label_values import LabelValues
from onhook.sentinel.records.call_record import CallRecord

__all__ = ["CallMetrics"]


class CallMetrics:
    """Counts the records of calls.

    Args:
        registry: Where the metrics are registered.
        agents: Bounds the names of agents.
    """

    def __init__(self, registry: CollectorRegistry, agents: LabelValues) -> None:
        self._agents = agents
        self._ended = counter("onhook_calls_ended_total", registry)
        self._silent = counter("onhook_silent_calls_total", registry)
        self._dead_air = counter("onhook_dead_air_seconds_total", registry)
        self._billed = counter("onhook_billed_after_fault_seconds_total", registry)

    def ended(self, record: CallRecord) -> None:
        """Count a call that is kept for the first time.

        Args:
            record: It.
        """
        agent = self._agents(record.agent)
        self._ended.labels(record.ended_by, record.direction, agent).inc()
        self._add(agent, record.is_silent, record.silent, record.billed_after_fault)

    def amended(self, before: CallRecord, after: CallRecord) -> None:
        """Add what was learned of a call after it had been counted; a counter never goes back.

        Args:
            before: As it was counted.
            after: As it is now.
        """
        self._add(
            self._agents(before.agent),
            after.is_silent and not before.is_silent,
            after.silent - before.silent,
            after.billed_after_fault - before.billed_after_fault,
        )

    def _add(self, agent: str, silent: bool, dead_air: float, billed: float) -> None:
        self._silent.labels(agent).inc(int(silent))
        self._dead_air.labels(agent).inc(max(0.0, dead_air))
        self._billed.labels(agent).inc(max(0.0, billed))

"""Calls that have ended as metrics: who ended them, and how long they were silent."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from prometheus_client import CollectorRegistry

from onhook.sentinel.metrics.definitions import counter
from onhook.sentinel.metrics.label_values import LabelValues
from onhook.sentinel.records.call_record import CallRecord

__all__ = ["CallMetrics"]

_REMEMBERED = 10_000
"""Calls that may be amended still: an incident's end may be told after that of its call."""


class CallMetrics:
    """Counts the records of calls.

    Args:
        registry: Where the metrics are registered.
        agents: Bounds the names of agents.
    """

    def __init__(self, registry: CollectorRegistry, agents: LabelValues) -> None:
        self._agents = agents
        self._counted: OrderedDict[str, CallRecord] = OrderedDict()
        self._ended = counter("onhook_calls_ended_total", registry)
        self._silent = counter("onhook_silent_calls_total", registry)
        self._dead_air = counter("onhook_dead_air_seconds_total", registry)
        self._billed = counter("onhook_billed_after_fault_seconds_total", registry)

    def ended(self, record: CallRecord) -> None:
        """Count a call whose record was made here.

        Args:
            record: It.
        """
        self._remember(record)
        agent = self._agents(record.agent)
        self._ended.labels(record.ended_by, record.direction, agent).inc()
        self._add(agent, record.is_silent, record.silent, record.billed_after_fault)

    def amended(self, after: CallRecord) -> None:
        """Add what was learned of a call after it had been counted here; a counter never goes back.

        Args:
            after: Its record, as it is now.
        """
        before = self._counted.get(after.id)
        if before is None:
            return  # another sentinel has counted it
        billed = max(after.billed_after_fault, before.billed_after_fault)
        silent = max(after.silent, before.silent)
        self._remember(replace(after, silent=silent, billed_after_fault=billed))
        self._add(
            self._agents(before.agent),
            after.is_silent and not before.is_silent,
            after.silent - before.silent,
            after.billed_after_fault - before.billed_after_fault,
        )

    def _remember(self, record: CallRecord) -> None:
        self._counted[record.id] = record
        while len(self._counted) > _REMEMBERED:
            self._counted.popitem(last=False)

    def _add(self, agent: str, silent: bool, dead_air: float, billed: float) -> None:
        self._silent.labels(agent).inc(int(silent))
        self._dead_air.labels(agent).inc(max(0.0, dead_air))
        self._billed.labels(agent).inc(max(0.0, billed))

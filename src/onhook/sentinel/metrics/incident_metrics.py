"""Incidents of all rings as metrics: a sink of the events of rescues."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from prometheus_client import CollectorRegistry

from onhook.faults import Fault
from onhook.incident import Ending, Mode
from onhook.rescue.events import Closed, Opened, RescueEvent, Ring
from onhook.sentinel.attendance import Attended
from onhook.sentinel.detectors import TABLE
from onhook.sentinel.metrics.definitions import counter, histogram

__all__ = ["IncidentMetrics"]

_REMEMBERED = 10_000
"""Incidents of which it is remembered that they were counted; whoever goes on tells again."""
_UNSAFE = ("handed_outward", "observed")
_SENTINEL_FAULTS = tuple(dict.fromkeys(row.fault for row in TABLE if row.fault is not None))


@dataclass(slots=True)
class _Known:
    """What was counted of one incident."""

    opened: Opened | None = None
    closed: frozenset[tuple[Ring, Ending]] = frozenset()


class IncidentMetrics:
    """Counts every incident once, however often its events are told. A `Sink`.

    Args:
        registry: Where the metrics are registered.
        mode: That of this sentinel, whose faults are there from the start with 0: an increase from
            nothing to 1 is none to Prometheus.
        leads: Whether it is for this sentinel to count what happens now: of several, that hear of
            the same incidents, one does.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        mode: Mode = "act",
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._leads = leads
        self._opened = counter("onhook_incidents_opened_total", registry)
        self._closed = counter("onhook_incidents_total", registry)
        self._failed = counter("onhook_rescues_failed_total", registry)
        self._safe = histogram("onhook_time_to_safe_seconds", registry)
        self._lag = histogram("onhook_detection_lag_seconds", registry)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._begin(mode)

    def _begin(self, mode: Mode) -> None:
        for ring in Ring:
            self._failed.labels(ring)
            self._safe.labels(ring)
        for fault in Fault:
            for ring in Ring:
                if ring is not Ring.SENTINEL or fault in _SENTINEL_FAULTS:
                    self._opened.labels(fault, ring, mode)
        for fault in _SENTINEL_FAULTS:
            self._lag.labels(fault)
            for ending in get_args(Ending):
                self._closed.labels(fault, Ring.SENTINEL, ending, mode)

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`."""
        match event:
            case Opened():
                self._open(event)
            case Closed():
                self._close(event)

    def attended(self, told: Attended) -> None:
        """Take how long one of this sentinel's own incidents took.

        Args:
            told: It.
        """
        self._lag.labels(told.fault).observe(max(0.0, told.lag))
        if told.ending not in _UNSAFE:
            self._safe.labels(Ring.SENTINEL).observe(max(0.0, told.took))

    def _open(self, event: Opened) -> None:
        known = self._of(event.incident)
        if known.opened is None:
            known.opened = event
            if self._leads():
                self._opened.labels(event.failure.fault, event.ring, event.mode).inc()

    def _close(self, event: Closed) -> None:
        known = self._of(event.incident)
        opened, told = known.opened, (event.ring, event.ending)
        if opened is None or told in known.closed:
            return
        known.closed |= {told}
        if not self._leads():
            return
        labels = (opened.failure.fault, event.ring, event.ending, opened.mode)
        self._closed.labels(*labels).inc()
        if event.ending == "handed_outward":
            self._failed.labels(event.ring).inc()
        elif event.ring is not Ring.SENTINEL and event.ending not in _UNSAFE:
            # by the wall clock: the two may be of different hosts, the fault and its opening not
            noticed = opened.at - opened.failure.at
            self._safe.labels(event.ring).observe(max(0.0, event.wall - opened.wall + noticed))

    def _of(self, incident: str) -> _Known:
        known = self._known.setdefault(incident, _Known())
        self._known.move_to_end(incident)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

"""All metrics of one sentinel, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from onhook.incident import Mode
from onhook.sentinel.metrics.call_metrics import CallMetrics
from onhook.sentinel.metrics.incident_metrics import IncidentMetrics
from onhook.sentinel.metrics.label_values import LabelValues

__all__ = ["SentinelMetrics"]


class SentinelMetrics:
    """What is counted, and how it is told.

    Args:
        mode: That of the sentinel.
        leads: Whether it is for this one, of several, to count incidents now.
    """

    def __init__(self, *, mode: Mode = "act", leads: Callable[[], bool] = lambda: True) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.agents = LabelValues()
        """Bounds the names of agents, for all metrics together."""
        self.incidents = IncidentMetrics(self._registry, mode=mode, leads=leads)
        self.calls = CallMetrics(self._registry, self.agents)

    def add(self, collector: Collector) -> None:
        """Tell of something else too.

        Args:
            collector: Reads it.
        """
        self._registry.register(collector)

    def collect(self) -> Iterable[Family]:
        """Yield everything; the times at which series were begun are left out: nobody asks."""
        for family in self._registry.collect():
            family.samples = [s for s in family.samples if not s.name.endswith("_created")]
            yield family

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and its content type.

        Args:
            accept: What the scraper takes, its `Accept` header.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type

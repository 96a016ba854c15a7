"""Who hears of a failover: the log, Prometheus, and whoever asked."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

__all__ = ["ProviderChange", "Watch"]

logger = logging.getLogger("onhook")


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """A provider has failed, and others are asked in its place; or it is back.

    Args:
        kind: `"stt"`, `"llm"` or `"tts"`.
        place: Its place in the list that `providers` was given; 0 is the first choice.
        label: The framework's name of it.
        model: Its model.
        available: Whether it is asked first again.
        detail: Why, for a failure.
    """

    kind: str
    place: int
    label: str
    model: str
    available: bool
    detail: str


@functools.cache
def _counter() -> Counter:
    """Register the metric when it is first needed: importing onhook does nothing."""
    return Counter(
        "onhook_provider_changes",
        "Providers that failed (available=false) and that came back (available=true)",
        ["kind", "provider", "model", "available"],
    )


class Watch:
    """Tells of what happens to providers.

    Args:
        on_change: Is told too; what it raises is logged.
    """

    def __init__(self, on_change: Callable[[ProviderChange], Any] | None = None) -> None:
        self._on_change = on_change

    def tell(self, change: ProviderChange, provider: str) -> None:
        """Tell everybody.

        Args:
            change: What happened.
            provider: The provider's name, for the metric.
        """
        fields = {f"onhook_{name}": getattr(change, name) for name in change.__slots__}
        if change.available:
            logger.info("%s %s is back", change.kind, change.label, extra=fields)
        else:
            text = "%s %s failed, the next is asked: %s"
            logger.warning(text, change.kind, change.label, change.detail, extra=fields)
        available = str(change.available).lower()
        _counter().labels(change.kind, provider, change.model, available).inc()
        if self._on_change is not None:
            try:
                self._on_change(change)
            except Exception:
                logger.exception("on_change raised; the call goes on")

"""How many calls are in which state, as of the latest round of the watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from onhook.faults import Fault
from onhook.sentinel.detectors import Row
from onhook.sentinel.suspicion import Suspicion

__all__ = ["CallStateCount", "CallStates"]

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CallStates:
    """What one round has found.

    Args:
        states: Calls by the label of their row in the table of judgement.
        suspected: Calls of which something is suspected, by fault; without those that were left as
            they are on purpose.
        longest: Seconds for which the one that has waited longest of these has done so; whose
            call is only too long waits for nothing.
    """

    states: Mapping[str, int] = field(default_factory=lambda: _NONE)
    suspected: Mapping[str, int] = field(default_factory=lambda: _NONE)
    longest: float = 0.0


class CallStateCount:
    """Counts during one round.

    Args:
        now: When it began, in seconds of the sentinel's clock.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._states: Counter[str] = Counter()
        self._suspected: Counter[str] = Counter()
        self._longest = 0.0

    def add(self, row: Row) -> None:
        """Count a call.

        Args:
            row: The one of the table that it is in.
        """
        self._states[row.label] += 1

    def suspect(self, suspicion: Suspicion) -> None:
        """Count a call of which something is suspected.

        Args:
            suspicion: It.
        """
        self._suspected[str(suspicion.fault)] += 1
        if suspicion.fault is not Fault.CALL_OVERLONG:
            self._longest = max(self._longest, self._now - suspicion.since)

    @property
    def result(self) -> CallStates:
        """What was counted."""
        return CallStates(dict(self._states), dict(self._suspected), self._longest)

"""What a job's guard has told of its own rescue, so that another can go on with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from onhook.faults import Severity
from onhook.incident import Ending
from onhook.rescue.events import Closed, Opened, RescueEvent

__all__ = ["GuardRescue"]

_MOST = 200
_SETTLED: tuple[Ending, ...] = ("released", "taken_over", "transferred", "observed")
"""Endings after which the job's death harms nobody, or no more is said of the call."""


@dataclass(slots=True)
class GuardRescue:
    """One rescue of the guard's.

    Args:
        opened: How it began.
        since: When that was told, on the watchdog's clock.
        events: All that was told of it.
    """

    opened: Opened
    since: float
    events: list[RescueEvent] = field(init=False)

    def __post_init__(self) -> None:
        self.events = [self.opened]

    def take(self, event: RescueEvent) -> None:
        """Take in what the guard tells next."""
        del self.events[_MOST - 1 :]  # the newest is kept: it may tell of the end
        self.events.append(event)

    @property
    def ending(self) -> Ending | None:
        """How it ended; `None` while it goes on."""
        return next((e.ending for e in reversed(self.events) if isinstance(e, Closed)), None)

    @property
    def unfinished(self) -> bool:
        """Whether somebody must go on with it. Soft words for a turn that failed need nobody."""
        lost = self.opened.failure.severity is Severity.LOST
        return lost and self.ending in (None, "handed_outward")

    @property
    def settled(self) -> bool:
        """Whether the call needs nobody any more."""
        return self.ending in _SETTLED

    def deadline(self, api_timeout: float) -> float:
        """Return when a guard that lives must have finished, on the watchdog's clock.

        Args:
            api_timeout: Seconds that each look at the call may take.
        """
        return self.since + self.opened.ladder.longest(api_timeout)

"""What a job's guard has told of its own rescue, so that another can go on with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from onhook.faults import Severity
from onhook.incident import Ending, Failure, Incident, RungReport
from onhook.rescue.progress import Progress
from onhook.watchdog.protocol.messages import Climbed, Closed, Intent, Opened

__all__ = ["Recorded"]

_MARGIN = 1.0
"""Seconds for looking at the call and for telling, beyond the deadlines of the rungs."""
_MOST = 50
_SETTLED: tuple[Ending, ...] = ("released", "taken_over", "transferred", "observed")
"""Endings after which the job's death harms nobody, or no more is said of the call."""


@dataclass(slots=True)
class Recorded:
    """One incident of the guard's.

    Args:
        opened: How it began.
        since: When that was told, on the watchdog's clock.
        reports: What its rungs did.
        begun: The rung it is climbing; empty between two.
        ending: How it ended; `None` while it goes on.
    """

    opened: Opened
    since: float
    reports: list[RungReport] = field(default_factory=list)
    begun: str = ""
    ending: Ending | None = None

    def told(self, message: Intent | Climbed | Closed) -> None:
        """Take in what the guard tells next."""
        match message:
            case Intent():
                self.begun = message.rung
            case Climbed() if len(self.reports) < _MOST:
                self.begun = ""
                self.reports.append(message.report)
            case Closed():
                self.ending = message.ending

    @property
    def unfinished(self) -> bool:
        """Whether somebody must go on with it. Soft words for a turn that failed need nobody."""
        lost = self.opened.severity is Severity.LOST
        return lost and self.ending in (None, "handed_outward")

    @property
    def settled(self) -> bool:
        """Whether the call needs nobody any more."""
        return self.ending in _SETTLED

    def past(self, reason: str) -> Progress:
        """Return where it stands.

        Args:
            reason: Why somebody else goes on with it.
        """
        return Progress(self.opened.ladder, tuple(self.reports), self.begun, reason)

    def deadline(self, api_timeout: float) -> float:
        """Return when a guard that lives must have finished, on the watchdog's clock.

        Args:
            api_timeout: Seconds that each look at the call may take.
        """
        rungs = self.opened.ladder.rungs
        return self.since + sum(rung.deadline + api_timeout for rung in rungs) + _MARGIN

    @property
    def incident(self) -> Incident:
        """The incident as the guard had opened it."""
        told = self.opened
        failure = Failure(
            *(told.fault, told.detail, told.at),
            severity=told.severity,
            traceback=told.traceback,
        )
        return Incident(failure, told.call, told.incident)

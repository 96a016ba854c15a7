"""What goes wrong with a call, and what became of it: failure, incident, outcome."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, TypeAlias

from onhook.call import Call
from onhook.faults import Fault, Severity
from onhook.redaction import bounded, traceback_of

__all__ = ["Ending", "Failure", "Incident", "Mode", "Outcome", "Result", "RungReport"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a detector noticed.

    Args:
        fault: Which row of the fault matrix.
        detail: One sentence for the person who reads the log; bounded, and without secrets.
        at: When, in seconds of the monotonic clock.
        error: The original exception, never replaced by anything cleanup raises.
        evidence: Further facts as plain strings (for example the shutdown reason), kept likewise.
        severity: How bad it is for the caller.
        traceback: The error with its traceback, shortened and without secrets; made from `error`
            when omitted.
        silent_since: Since when the caller was owed sound and heard none, in seconds of the
            monotonic clock; since the failure where it is not told.
    """

    fault: Fault
    detail: str
    at: float
    error: BaseException | None = None
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    severity: Severity = Severity.LOST
    traceback: str = ""
    silent_since: float | None = None

    def __post_init__(self) -> None:
        """Make fit once what everybody keeps and sends: masked, bounded, and formatted."""
        object.__setattr__(self, "detail", bounded(self.detail))
        evidence = {bounded(key): bounded(value) for key, value in self.evidence.items()}
        object.__setattr__(self, "evidence", evidence)
        if not self.traceback:
            object.__setattr__(self, "traceback", traceback_of(self.error))


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause of harm to one call: what the ladder is climbed for.

    Args:
        failure: The first failure; later ones of the same call do not open a second incident.
        call: The picture of the call when the incident was opened.
        id: Short unique id that every log line, journal entry and report row carries.
    """

    failure: Failure
    call: Call
    id: str = field(default_factory=lambda: f"inc_{uuid.uuid4().hex[:12]}")

    @property
    def fault(self) -> Fault:
        """The fault of the first failure."""
        return self.failure.fault

    @property
    def severity(self) -> Severity:
        """The grade of the incident."""
        return self.failure.severity


class Result(StrEnum):
    """How one rung ended."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class RungReport:
    """What one rung did.

    Args:
        rung: The rung's name, for example `"say"`.
        result: How it ended.
        detail: One sentence; for a failure what was got and what to do.
        started: Seconds of the monotonic clock.
        ended: Seconds of the monotonic clock.
        sound: When the caller began to hear what it gave them, and until when, in seconds of the
            monotonic clock; `None` where it gave them nothing to hear.
    """

    rung: str
    result: Result
    detail: str
    started: float
    ended: float
    sound: tuple[float, float] | None = None


Mode: TypeAlias = Literal["act", "observe"]
"""Whether what is judged a fault is acted upon, or recorded with what would have been done."""

Ending: TypeAlias = Literal[
    "released", "kept", "taken_over", "transferred", "recovered", "handed_outward", "observed"
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one terminal outcome of an incident.

    Args:
        incident: Id of the incident.
        ending: `released` (the callers are gone), `kept` (left as it is, on purpose), `taken_over`
            (somebody living has the call), `transferred` (the caller was sent elsewhere),
            `recovered` (the agent itself is back), `handed_outward` (this ring could not; the next
            must), `observed` (nothing was done on purpose: the detail names what would have been).
        detail: One sentence.
        reports: What each rung did, in order.
        failure: `cleanup.failed`, where the line could not be released; never the original error.
    """

    incident: str
    ending: Ending
    detail: str
    reports: tuple[RungReport, ...] = ()
    failure: Failure | None = None

    @property
    def safe(self) -> bool:
        """Whether nobody is left on a dead line, as far as this ring can know."""
        return self.ending not in ("handed_outward", "observed")

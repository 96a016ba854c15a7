"""What flows between the stages: frozen pictures of a failure, a call and an outcome."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, TypeAlias

from onhook.evidence import traceback_of
from onhook.faults import Fault, Severity

__all__ = [
    "Call",
    "Direction",
    "Ending",
    "Failure",
    "Incident",
    "Leg",
    "LegKind",
    "LineState",
    "Outcome",
    "Result",
    "RungReport",
]


class LegKind(StrEnum):
    """Who a participant is, for the question who stays on the line."""

    CALLER = "caller"
    """A SIP leg: `kind == SIP`, whatever its identity."""
    HUMAN = "human"
    """A person who is not on a SIP leg."""
    AGENT = "agent"
    """An agent, ours or another."""
    OTHER = "other"
    """Egress, ingress, hidden participants and our own announcer: nobody to talk to."""


class LineState(StrEnum):
    """The state of a SIP leg (LiveKit attribute `sip.callStatus`)."""

    DIALING = "dialing"
    RINGING = "ringing"
    ACTIVE = "active"
    HANGUP = "hangup"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Who dialled."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Leg:
    """One participant of a call.

    Args:
        identity: LiveKit participant identity, unique in its room.
        kind: Who this is.
        line: State of the SIP leg; `UNKNOWN` for every other kind.
        audible: Whether the leg publishes an audio track that is not muted.
        call_id: The SIP call id (`sip.callID`), empty for other kinds.
    """

    identity: str
    kind: LegKind
    line: LineState = LineState.UNKNOWN
    audible: bool = False
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A picture of one call at one moment.

    Args:
        room: LiveKit room name.
        legs: Everybody in the room, the failed agent included where it is still there.
        agent: Identity of the agent that is guarded; empty when unknown.
        job: LiveKit job id; empty when unknown.
        direction: Who dialled.
        complete: Whether `legs` is known to be everybody; `False` when nobody could be asked.
    """

    room: str
    legs: tuple[Leg, ...] = ()
    agent: str = ""
    job: str = ""
    direction: Direction = Direction.UNKNOWN
    complete: bool = True

    @property
    def callers(self) -> tuple[Leg, ...]:
        """The SIP legs still on the line."""
        return tuple(
            leg
            for leg in self.legs
            if leg.kind is LegKind.CALLER and leg.line is not LineState.HANGUP
        )

    @property
    def humans(self) -> tuple[Leg, ...]:
        """People who are not on a SIP leg."""
        return tuple(leg for leg in self.legs if leg.kind is LegKind.HUMAN)

    @property
    def other_agents(self) -> tuple[Leg, ...]:
        """Agents other than the guarded one."""
        return tuple(
            leg for leg in self.legs if leg.kind is LegKind.AGENT and leg.identity != self.agent
        )

    @property
    def ringing(self) -> bool:
        """Whether there are callers and none of them has been answered."""
        callers = self.callers
        return bool(callers) and all(
            leg.line in (LineState.RINGING, LineState.DIALING) for leg in callers
        )

    @property
    def call_id(self) -> str:
        """The SIP call id of the first caller, or an empty string."""
        return next((leg.call_id for leg in self.callers), "")


@dataclass(frozen=True, slots=True)
class Failure:
    """What a detector noticed.

    Args:
        fault: Which row of the fault matrix.
        detail: One sentence for the person who reads the log.
        at: When, in seconds of the monotonic clock.
        error: The original exception, never replaced by anything cleanup raises.
        evidence: Further facts as plain strings (for example the shutdown reason).
        severity: How bad it is for the caller.
        traceback: The error with its traceback, shortened and without secrets; made from `error`
            when omitted.
    """

    fault: Fault
    detail: str
    at: float
    error: BaseException | None = None
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    severity: Severity = Severity.LOST
    traceback: str = ""

    def __post_init__(self) -> None:
        """Format the traceback once, for everybody who keeps it."""
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
    SKIPPED = "skipped"
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
    """

    rung: str
    result: Result
    detail: str
    started: float
    ended: float


Ending: TypeAlias = Literal[
    "released", "kept", "taken_over", "transferred", "recovered", "handed_outward"
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one terminal outcome of an incident.

    Args:
        incident: Id of the incident.
        ending: `released` (the callers are gone), `kept` (left as it is, on purpose), `taken_over`
            (somebody living has the call), `transferred` (the caller was sent elsewhere),
            `recovered` (the agent itself is back), `handed_outward` (this ring could not; the next
            must).
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
        return self.ending != "handed_outward"

"""What a journal keeps of the events, whatever it keeps it in: rows for a person to read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent, Resumed, Ring, Sink

__all__ = ["Entry", "Journal", "Opening", "Ring", "Step"]


class Step(StrEnum):
    """What an entry tells."""

    OPENED = "opened"
    INTENT = "intent"
    RUNG = "rung"
    RESUMED = "resumed"
    """Another rescuer goes on; the subject is the rung that was begun, or nothing."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Opening:
    """What was known when an incident was opened; plain text, no secrets, to be read much later.

    Args:
        room: LiveKit room name.
        job: LiveKit job id; empty when unknown.
        call_id: SIP call id; empty when unknown.
        direction: Who dialled.
        severity: How bad it is for the caller.
        traceback: The original exception with its traceback; empty where there was none.
        evidence: Further facts, for example the signal that ended a job.
        mode: `observe` where nothing was to be done.
    """

    room: str
    job: str = ""
    call_id: str = ""
    direction: str = "unknown"
    severity: str = "lost"
    traceback: str = ""
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mode: str = "act"

    @classmethod
    def of(cls, event: Opened) -> Opening:
        """Take from an event what a person needs; the exception itself is not kept alive."""
        call, failure = event.call, event.failure
        return cls(
            room=call.room,
            job=call.job,
            call_id=call.call_id,
            direction=str(call.direction),
            severity=str(failure.severity),
            traceback=failure.traceback,
            evidence=failure.evidence,
            mode=event.mode,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of evidence.

    Args:
        incident: Incident id.
        step: What is told.
        at: Seconds of this host's monotonic clock: differences are exact.
        subject: The fault, the rung or the ending.
        result: The rung's result; empty for other steps.
        detail: One sentence.
        wall: Seconds since 1970: for a person, and for after a restart of the host.
        ring: Who tells.
        opening: What was known; with `Step.OPENED` only.
    """

    incident: str
    step: Step
    at: float
    subject: str
    result: str = ""
    detail: str = ""
    wall: float = field(default_factory=time.time)
    ring: Ring = Ring.GUARD
    opening: Opening | None = None

    @classmethod
    def of(cls, event: RescueEvent) -> Entry:
        """Return the line that tells of an event."""
        told: tuple[str, str, str]
        match event:
            case Opened():
                step, told = Step.OPENED, (event.failure.fault, "", event.failure.detail)
            case Intent():
                step, told = Step.INTENT, (event.rung, "", "")
            case Climbed(report=done):
                step, told = Step.RUNG, (done.rung, done.result, done.detail)
            case Resumed():
                step, told = Step.RESUMED, (event.rung, "", event.detail)
            case Closed():
                result = "recovered" if event.recovered else ""
                step, told = Step.CLOSED, (event.ending, result, event.detail)
        subject, result, detail = map(str, told)
        return cls(
            *(event.incident, step, event.at, subject, result, detail, event.wall, event.ring),
            opening=Opening.of(event) if isinstance(event, Opened) else None,
        )


class Journal(Sink, Protocol):
    """A sink that keeps what it is told, in order. An event that is told again is kept once."""

    def prepare(self) -> None:
        """Make ready what `handle` needs, while all is well; may take some milliseconds.

        Raises:
            JournalError: It cannot be made ready.
        """
        ...

    def handle(self, event: RescueEvent) -> None:
        """Keep an event. Takes milliseconds at most while nothing is wrong with the disk.

        Raises:
            JournalError: It could not be kept. A rescue goes on without it.
        """
        ...

    def entries(self, incident: str) -> Sequence[Entry]:
        """Return what was recorded for an incident, oldest first."""
        ...

    def incidents(self, limit: int) -> Sequence[str]:
        """Return the ids of the newest incidents, newest first."""
        ...

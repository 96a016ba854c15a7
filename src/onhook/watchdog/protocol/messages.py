"""What jobs and the watchdog tell each other, checked field by field on the way in."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.call import Call
from onhook.faults import Fault, Severity
from onhook.incident import Ending, Mode, RungReport
from onhook.ladder import Ladder
from onhook.watchdog.protocol.job_policy import JobPolicy

__all__ = [
    "TEXT",
    "Answer",
    "Ask",
    "Beat",
    "Bye",
    "Climbed",
    "Closed",
    "Hello",
    "Intent",
    "Message",
    "Opened",
    "Welcome",
]

TEXT = 4000
"""Characters of free text that a message carries: what is longer is cut off by the sender."""


@dataclass(frozen=True, slots=True)
class Hello:
    """A job introduces itself.

    No secret travels: the socket's name tells that server and key are the same.

    Args:
        room: LiveKit room name.
        job: LiveKit job id.
        agent: Identity of the job's participant.
        worker: Process id of the job's parent.
        policy: The ladders, and how long things may take.
        mode: Whether the watchdog acts for this job, or records what it would have done.
    """

    room: str
    job: str
    agent: str
    worker: int
    policy: JobPolicy
    mode: Mode = "act"


@dataclass(frozen=True, slots=True)
class Beat:
    """The job's event loop runs.

    Args:
        lag: Seconds by which the loop was late.
        state: What the agent does; empty while it is being set up.
        audible_until: Until when it could be heard, in seconds of the host's monotonic clock; 0
            where that is not known.
    """

    lag: float
    state: str
    audible_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Opened:
    """The guard has opened an incident and begins its rescue.

    Args:
        incident: Its id.
        fault: What went wrong.
        severity: How bad it is.
        detail: One sentence.
        at: Seconds of the host's monotonic clock.
        traceback: The original error with its traceback; empty without one.
        ladder: What is about to be climbed.
        call: The picture of the call.
    """

    incident: str
    fault: Fault
    severity: Severity
    detail: str
    at: float
    traceback: str
    ladder: Ladder
    call: Call


@dataclass(frozen=True, slots=True)
class Intent:
    """The guard is about to climb a rung."""

    incident: str
    rung: str


@dataclass(frozen=True, slots=True)
class Climbed:
    """A rung has ended."""

    incident: str
    report: RungReport


@dataclass(frozen=True, slots=True)
class Closed:
    """The guard's rescue is over."""

    incident: str
    ending: Ending
    detail: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The job ends on purpose."""

    reason: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The watchdog's answer to a job: it will rescue this job's call.

    Args:
        pid: The watchdog's process.
    """

    pid: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A command: `status` or `stop`."""

    what: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a command, as JSON."""

    text: str


Message = Hello | Beat | Opened | Intent | Climbed | Closed | Bye | Welcome | Ask | Answer

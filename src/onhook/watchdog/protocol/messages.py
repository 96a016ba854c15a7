"""What jobs and the watchdog tell each other: the events of a rescue, and what is about a job."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from onhook.incident import Mode
from onhook.rescue.events import RescueEvent, Seconds
from onhook.watchdog.protocol.job_policy import JobPolicy

__all__ = [
    "AWAITING",
    "NO_NEWS",
    "TEXT",
    "TRANSFERRING",
    "Answer",
    "Ask",
    "Beat",
    "Bye",
    "Hello",
    "Message",
    "Welcome",
]

TEXT = 4000
"""Characters of free text that a message carries: what is longer is cut off by the sender."""
TRANSFERRING, AWAITING = "transferring", "awaiting"
"""What an agent does, in a `Beat`, that leaves its caller to a transfer that still rings, or to
somebody who was sent for."""
_Pid: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class _Message(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag=str.lower
):
    pass


class Hello(_Message, frozen=True):
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
    worker: _Pid
    policy: JobPolicy
    mode: Mode = "act"


class Beat(_Message, frozen=True):
    """The job's event loop runs.

    Args:
        lag: Seconds by which the loop was late.
        state: What the agent does; empty while it is being set up.
        audible_until: Until when it could be heard, in seconds of the host's monotonic clock; 0
            where that is not known.
        left_until: Until when a caller who is left to somebody waits for them, likewise; 0 where
            none is.
    """

    lag: Seconds
    state: str
    audible_until: Seconds = 0.0
    left_until: Seconds = 0.0

    @property
    def leaves(self) -> bool:
        """Whether the caller is left to somebody who is on their way."""
        return self.state in (AWAITING, TRANSFERRING)


NO_NEWS = Beat(0.0, "")
"""Nothing is known of what an agent does."""


class Bye(_Message, frozen=True):
    """The job ends on purpose.

    Args:
        reason: Why.
        released: Whether its agent has left the call to others, who may keep it for long.
    """

    reason: str
    released: bool = False


class Welcome(_Message, frozen=True):
    """The watchdog's answer to a job, repeated when it changes.

    Args:
        pid: The watchdog's process.
        unable: Why it could not rescue this job's call; empty where it will.
    """

    pid: _Pid
    unable: str


class Ask(_Message, frozen=True):
    """A command: `status` or `stop`."""

    what: str


class Answer(_Message, frozen=True):
    """The answer to a command, as JSON."""

    text: str


Message: TypeAlias = RescueEvent | Hello | Beat | Bye | Welcome | Ask | Answer

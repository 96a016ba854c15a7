"""A frozen picture of what a sentinel knows of one call, and since when.

It is made anew for each look at a call, of thousands in a second: msgspec's structs are made in a
fifth of the time of frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from onhook.call import Call

__all__ = ["AgentView", "CallView", "JobHint", "Lease", "LeaseState", "ProbeResult"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ProbeResult(StrEnum):
    """What an agent did with a question (livekit-facts: three states in one request)."""

    ANSWERED = "answered"
    """It answered, be it that it does not know the method: process and link live."""
    BLOCKED = "blocked"
    """Its link acknowledged the question, and nothing answered: the event loop is blocked."""
    GONE = "gone"
    """Nothing acknowledged the question: process, host or network are gone."""
    ABSENT = "absent"
    """No server knows it, whatever their list says: it joins again, or was on one that is gone."""
    UNKNOWN = "unknown"
    """The server could not be asked, or does not know: no evidence of anything."""


class LeaseState(StrEnum):
    """Whether a host's watchdog answers for a call."""

    COVERED = "covered"
    LAPSED = "lapsed"
    """Its last lease for this call has run out: the host has gone silent with the call."""
    ENDED = "ended"
    """It has told that the job ended well."""
    NEVER = "never"


class Lease(msgspec.Struct, frozen=True):
    """A watchdog's word for one call.

    Args:
        host: The watchdog's id.
        agent: Identity of the agent.
        job: LiveKit job id.
        until: When it runs out, in seconds of the sentinel's clock.
        ended: Since when the call is missing from later leases: it has ended well. `None` while
            it is not.
    """

    host: str
    agent: str
    job: str
    until: float
    ended: float | None = None

    def state(self, now: float) -> LeaseState:
        """Return how the lease stands.

        Args:
            now: Seconds of the sentinel's clock.
        """
        if self.ended is not None:
            return LeaseState.ENDED
        return LeaseState.COVERED if now < self.until else LeaseState.LAPSED


class JobHint(msgspec.Struct, frozen=True):
    """The server's latest word on the agent's job (Cloud), with `at` by the sentinel's clock."""

    job: str
    agent_name: str
    state: str
    reason: str
    at: float


class AgentView(msgspec.Struct, frozen=True):
    """An agent in the room.

    Args:
        identity: Its identity.
        sid: The server's id of its stay.
        since: When it was first seen, in seconds of the sentinel's clock.
        changed: When the server's description of it last changed, at the earliest.
        attributes: What it tells of itself: `onhook.*`, `lk.agent.*`.
        asked: When it was last probed; `None` for never.
        answered: When it last answered a probe.
        unanswered: How many questions in a row it has not answered.
        unanswered_since: When the first of those was asked; `None` for none.
        blocked: Whether it acknowledged one of the last two of those.
        absent: Whether no server knew it at the last of those.
    """

    identity: str
    sid: str
    since: float
    changed: float
    attributes: Mapping[str, str] = _NOTHING
    asked: float | None = None
    answered: float | None = None
    unanswered: int = 0
    unanswered_since: float | None = None
    blocked: bool = False
    absent: bool = False


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one call. All times are seconds of the sentinel's monotonic clock.

    Args:
        call: Who is on it; `agent` is filled where exactly one agent is in the room, `complete`
            where everybody in the room has been listed. The answered legs come first.
        sid: The server's id of this life of the room; empty where it was not told.
        metadata: The room's metadata, where it has tags; see `call_key.tags_of`.
        caller: Attributes of the first caller (`sip.*`): number, trunk, rule.
        first_seen: First sighting.
        began_after: The call was not there yet at this time; `None` where it was there when the
            sentinel first looked.
        server_age_since: Since when the caller is in the room by the server's own clock, turned
            into the sentinel's; later than the truth rather than earlier. `None` if not known.
        no_agent_since: A caller is there, and no agent is, since.
        alone_since: A caller is there, and neither an agent nor company is, since.
        visited: Whether an agent or company has been there before, or a host answers or has
            answered for the call.
        agent_left: When the last agent went, while none has come back.
        agent_left_by: The server's word for why, such as `CONNECTION_TIMEOUT`.
        rang_on: Whether a list made after that has shown that no leg was answered yet.
        ringing_since: A caller's leg is there and none is answered, since.
        answered_since: A caller's leg is active, since.
        two_legs_since: Nobody but answered phones' legs, two or more, since.
        agents: The agents in the room.
        lease: The host's word for this call; `None` where none ever was given.
        released: Why the agent has left the call on purpose; empty while it has not.
        rescue: Id of the rescue that an inner ring has under way; empty where it was not told.
        rescue_until: By when that rescue will have ended; `None` where none is under way.
        hint: The server's latest word on the agent's job.
        ladder: The ladder that travels with the call, as JSON; empty for none.
        agent_name: The name under which the agent's worker is registered; empty if not known.
        trunkless: Whether it came in by no trunk, and nobody has ever answered it: a scanner.
        polled: When the last list of rooms that had this room was asked for; `None` for never.
        listed: When its last list of participants was asked for; `None` for never.
        doubtful: Whether the server counts other participants than are known.
    """

    call: Call
    sid: str = ""
    metadata: str = ""
    caller: Mapping[str, str] = _NOTHING
    first_seen: float = 0.0
    began_after: float | None = None
    server_age_since: float | None = None
    no_agent_since: float | None = None
    alone_since: float | None = None
    visited: bool = False
    agent_left: float | None = None
    agent_left_by: str = ""
    rang_on: bool = False
    ringing_since: float | None = None
    answered_since: float | None = None
    two_legs_since: float | None = None
    agents: tuple[AgentView, ...] = ()
    lease: Lease | None = None
    released: str = ""
    rescue: str = ""
    rescue_until: float | None = None
    hint: JobHint | None = None
    ladder: str = ""
    agent_name: str = ""
    trunkless: bool = False
    polled: float | None = None
    listed: float | None = None
    doubtful: bool = False

    @property
    def room(self) -> str:
        """Room name."""
        return self.call.room

    def sends(self, identity: str) -> bool:
        """Return whether somebody in the room publishes sound that is not muted.

        Args:
            identity: Who.
        """
        return any(leg.audible for leg in self.call.legs if leg.identity == identity)

    def lease_state(self, now: float) -> LeaseState:
        """Return whether a host's watchdog answers for this call.

        Args:
            now: Seconds of the sentinel's clock.
        """
        return LeaseState.NEVER if self.lease is None else self.lease.state(now)

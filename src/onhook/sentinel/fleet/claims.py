"""Who rescues which call: the claim, what is told under it, and its one outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from onhook.errors import OnhookError
from onhook.incident import Ending, Outcome
from onhook.rescue.events import RescueEvent
from onhook.validation import require_seconds

__all__ = [
    "MOST_EVENTS",
    "Claim",
    "ClaimLostError",
    "Claims",
    "Finished",
    "FleetUnavailableError",
    "LocalClaims",
    "Refused",
    "require_claimable",
]

MOST_EVENTS = 200
"""Events that are kept of one incident; of more the first ones, and the newest."""
_LONGEST_NAME = 512


class FleetUnavailableError(OnhookError):
    """What the sentinels share cannot be reached now: the server is gone, or too slow.

    Args:
        message: What was tried, what came back and what to do.
        passing: Whether trying again at once may help: the connection was lost, no answer came.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class ClaimLostError(OnhookError):
    """Another sentinel has the call, or has finished with it: whoever gets this stops acting."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentinel answers for one call, for a while.

    Args:
        call: Key of the call; every sentinel makes the same one, for example of the room's sid.
        owner: Name of the sentinel, one for each start of it.
        token: Fencing token: greater than every earlier one of this call.
        until: When the lease ends, in seconds of the holder's monotonic clock. Never later than it
            ends for the others: it counts from before the request was sent.
    """

    call: str
    owner: str
    token: int
    until: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The one terminal outcome of an incident.

    Args:
        incident: Id of the incident.
        ending: How it ended.
        detail: One sentence.
        owner: Who brought it to its end.
        token: The fencing token that was told with it.
        ago: Seconds since then: a suspicion that is younger is about something new.
    """

    incident: str
    ending: Ending
    detail: str
    owner: str
    token: int
    ago: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The call is another's, or there is nothing left to do.

    Args:
        owner: Who has the call, or had it at its end.
        until: When it is worth asking again, in seconds of the asker's monotonic clock.
        finished: The outcome, where there is one. Asking again is in vain, except for a new
            incident: `claim(..., beyond=finished.token)`.
    """

    owner: str
    until: float
    finished: Finished | None = None


class Claims(Protocol):
    """Claims on calls. Memory, SQLite and Redis pass one contract (tests/sentinel/fleet).

    Every method may raise `FleetUnavailableError`, within a second or so.
    """

    async def claim(self, call: str, owner: str, ttl: float, *, beyond: int = 0) -> Claim | Refused:
        """Claim a call that nobody holds: never claimed, given back, or its lease has lapsed.

        Args:
            call: Key of the call.
            owner: Who asks. The owner's own claim is refused to it like anybody's.
            ttl: Seconds that the lease lasts without a renewal.
            beyond: Token of a finished incident that the asker knows of: this is a new one.
        """
        ...

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        """Go on holding a call, and keep what has been done, in one step.

        A lease that has lapsed is renewed too, while nobody else has taken the call.

        Args:
            claim: The claim.
            ttl: Seconds from now.
            events: What has happened since; an event that is told again is kept once.

        Raises:
            ClaimLostError: It is not the newest claim, or the incident is finished. None of the
                events was kept.
        """
        ...

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        """Give a call back: with its outcome for good, without one for whoever goes on.

        The same claim may tell the same outcome again. Given back before anything was told, it is
        as if it had not been claimed; what nobody knows of any more is given back already.

        Args:
            claim: The claim.
            outcome: The outcome.
            events: What has happened since the last renewal.

        Raises:
            ClaimLostError: It is not the newest claim, or another outcome is there: none of this
                was kept.
        """
        ...

    async def done(self, call: str) -> Finished | None:
        """Return the outcome of a call's newest incident, if it has one."""
        ...

    async def events(self, call: str) -> Sequence[RescueEvent]:
        """Return what was told of a call's newest incident, oldest first."""
        ...

    async def lapsed(self, limit: int) -> Sequence[str]:
        """Return calls whose rescue was begun and is held by nobody: somebody must go on."""
        ...

    async def recent(self, limit: int) -> Sequence[str]:
        """Return the calls that were claimed last, newest first: the shared index."""
        ...

    async def members(self, owner: str, ttl: float) -> Sequence[str]:
        """Tell that a sentinel lives, and return the names of all that do, in order.

        Args:
            owner: Its name.
            ttl: Seconds for which that counts.
        """
        ...


class LocalClaims(Claims, Protocol):
    """Claims that one host keeps for itself while what is shared cannot be reached."""

    async def forget(self, call: str) -> None:
        """Forget a call, whoever holds it; one that is not known is forgotten already."""
        ...


def require_claimable(call: str, owner: str, ttl: float) -> None:
    """Refuse what no back end can keep.

    Raises:
        PolicyError: The lease lasts no positive number of seconds.
        OnhookError: A name is empty or too long.
    """
    require_seconds("claim", "ttl", ttl)
    for what, name in (("call", call), ("owner", owner)):
        if not 0 < len(name) <= _LONGEST_NAME:
            raise OnhookError(
                f"{what}={name[:40]!r} ({len(name)} characters) is no name for a claim: "
                f"give 1 to {_LONGEST_NAME} characters"
            )

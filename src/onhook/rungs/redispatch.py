"""`Redispatch`: send another agent to the caller, and believe in it once it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from onhook.errors import OnhookError, PolicyError
from onhook.incident import Ending
from onhook.line import Dispatch
from onhook.rungs.base import Climb
from onhook.takeover import Takeover, compose, read
from onhook.validation import require_count, require_seconds, require_text

__all__ = ["Redispatch"]

_WITHDRAWING = 2.0
"""Seconds kept back for taking an agent away that is not heard."""


@dataclass(frozen=True, slots=True)
class Redispatch:
    """Hand the call to another agent by a new dispatch to the same room.

    The new job's metadata is that of the failed job with the incident added to it
    (`onhook.incident_of(ctx)` reads it). It has succeeded when the new agent is in the room and is
    heard; one that is not is taken away again, so that it does not talk over the next rung. The
    caller hears silence meanwhile: put a `Say` before it. Needs the grant `roomAdmin`.

    Args:
        agent_name: The name under which the other agent's worker is registered.
        attempts: How many times a call may be redispatched in all, whichever agent fails: the
            count travels in the metadata, so that two broken agents do not hand a call to and fro.
        metadata: The new job's metadata; that of the failed job when omitted.
        deadline: Seconds for everything, of which 2 are kept for taking the agent away again, or
            half of it where that is less. Keep it below the other agent's `Policy.first_audio`.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
    """

    name: ClassVar[str] = "redispatch"
    terminal: ClassVar[bool] = False
    settles: ClassVar[Ending | None] = "taken_over"

    agent_name: str
    _: KW_ONLY
    attempts: int = 1
    metadata: str | None = None
    deadline: float = 10.0

    def __post_init__(self) -> None:
        require_text("Redispatch", "agent_name", self.agent_name, "the name of an agent's worker")
        require_count("Redispatch", "attempts", self.attempts)
        if self.metadata is not None and not isinstance(self.metadata, str):
            raise PolicyError(f"Redispatch(metadata={self.metadata!r}): give text, or leave it out")
        require_seconds("Redispatch", "deadline", self.deadline)

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`. A dispatch that an earlier rescuer made for it is not made again."""
        there = await climb.line.dispatches()
        mine = [dispatch.id for dispatch in self._mine(climb, there)]
        metadata = "" if mine else await self._told(climb, there)
        patience = max(self.deadline - _WITHDRAWING, self.deadline / 2)
        try:
            async with asyncio.timeout(patience):
                dispatch = mine[0] if mine else await climb.line.dispatch(self.agent_name, metadata)
                agent = await climb.line.heard(dispatch)
        except Exception as error:  # whatever it was, the next rung must not be talked over
            why = str(error) or repr(error)
            if isinstance(error, TimeoutError):
                why = f"not heard within {patience:g} s: does a worker of that name run, and speak?"
            raise OnhookError(f"{self.agent_name!r}: {why}{await self._taken(climb)}") from error
        return f"{agent!r} of {self.agent_name!r} has the caller, and is heard"

    async def _told(self, climb: Climb, there: Sequence[Dispatch]) -> str:
        """Return the metadata for the new job.

        Raises:
            OnhookError: The call has been redispatched as often as it may.
        """
        failed = await climb.line.origin()
        # a job of which nothing is known may be any of those that were sent
        known = [d.metadata for d in there] if failed is None else [failed]
        used = max(map(_attempts, known), default=0)
        if used >= self.attempts:
            raise OnhookError(
                f"already redispatched {used} times: Redispatch({self.agent_name!r}, "
                f"attempts={self.attempts}) allows no more"
            )
        told = Takeover.of(climb.incident, failed or "")
        return compose(told if self.metadata is None else told.given(self.metadata))

    async def _taken(self, climb: Climb) -> str:
        """Take back what this rung may have sent, also where the answer to it was lost."""
        try:
            for dispatch in self._mine(climb, await climb.line.dispatches()):
                await climb.line.withdraw(dispatch.id)
        except OnhookError as error:
            return f"; and it may still come: {error}"
        return ""

    def _mine(self, climb: Climb, there: Sequence[Dispatch]) -> list[Dispatch]:
        mine = []
        for dispatch in there:
            told = read(dispatch.metadata)
            sent = told is not None and told.incident == climb.incident.id
            if sent and dispatch.agent_name == self.agent_name:
                mine.append(dispatch)
        return mine


def _attempts(metadata: str) -> int:
    told = read(metadata)
    return 0 if told is None else told.attempt

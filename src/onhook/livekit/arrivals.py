"""Somebody who was sent for: an agent that leaves its caller to them does not leave it alone."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from livekit import rtc

from onhook.call import Call, Leg, LineState
from onhook.errors import OnhookError
from onhook.incident import Failure
from onhook.line import Dispatch, Line
from onhook.livekit.room_changes import Changes

__all__ = ["Arrivals", "awaited_agent", "awaited_phone", "in_vain"]

logger = logging.getLogger("onhook")

_ASK = 1.0
"""Seconds for the server to say which agents were sent for; none where it does not."""
_COMES = 8.0
"""Seconds from its dispatch in which an agent comes, as for one that has not taken a new call."""
_STARTS = 8.0
"""Seconds from its coming in which it can be heard: the default of `Policy.first_audio`."""
_RINGS = 30.0
"""Seconds in which a phone that is dialled is answered, as for a transfer that names no time."""
_CLOCKS = 60.0
"""Seconds by which the server's clock may be ahead of ours."""
_LOOK = 0.5


def awaited_agent(sent: Sequence[Dispatch], mine: str, wall: float) -> Dispatch | None:
    """Return the latest dispatch whose agent may still come.

    The server tells the state of a dispatch as it was when a worker was chosen (livekit-server
    1.13), so that its age decides. Every room has one without a name, for workers that have none.

    Args:
        sent: The dispatches to the room.
        mine: Id of the dispatch that this job came by.
        wall: Seconds since 1970.
    """
    fresh = [
        each
        for each in sent
        if each.agent_name and each.id != mine and -_CLOCKS < wall - each.created_at < _COMES
    ]
    return max(fresh, key=lambda each: each.created_at, default=None)


def awaited_phone(call: Call) -> Leg | None:
    """Return a phone that is being dialled while a caller who was answered waits for it.

    Args:
        call: Who is on the call.
    """
    dialled = (LineState.DIALING, LineState.RINGING)
    phones = [leg for leg in call.callers if leg.line in dialled]
    return phones[0] if phones and len(phones) < len(call.callers) else None


class Arrivals:
    """Waits for a phone that is dialled, or an agent that was sent for a moment ago.

    Args:
        line: The call's line.
        look: Looks anew who is on the call.
        mine: Id of the dispatch that the job came by; empty where it is not known.
        room: The job's room; `None` outside the job.
        clock: Seconds of a monotonic clock.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        line: Line,
        look: Callable[[], Awaitable[Call]],
        *,
        mine: str = "",
        room: rtc.Room | None = None,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._line = line
        self._look = look
        self._mine = mine
        self._room = room
        self._clock = clock
        self._wall = wall

    async def wait(self, call: Call) -> tuple[Call, str]:
        """Wait until somebody has come.

        Args:
            call: Who is on the call: a caller without company.

        Returns:
            The call as it is then, and why nobody has come; empty where somebody has, or where
            nobody was sent for.
        """
        if (phone := awaited_phone(call)) is not None:
            return await self._answer(phone, call)
        if (sent := await self._sent()) is not None:
            return await self._coming(sent, call)
        return call, ""

    async def referred(self, call: Call) -> tuple[Call, str]:
        """Wait until callers who are being transferred have left.

        Args:
            call: Who is on the call.

        Returns:
            The call as it is then, and why they are still there; empty where they are not.
        """
        until = self._clock() + _RINGS
        with Changes(self._room) as changes:
            while call.callers and not call.company:
                if (left := until - self._clock()) <= 0:
                    return call, f"the transfer has not succeeded within {_RINGS:g} s"
                await changes.wait(min(_LOOK, left))
                call = await self._look()
        return call, ""

    async def _answer(self, phone: Leg, call: Call) -> tuple[Call, str]:
        logger.info("the phone of %s is dialled: waiting for its answer", phone.identity)
        until = self._clock() + _RINGS
        with Changes(self._room) as changes:
            while awaited_phone(call) is not None and (left := until - self._clock()) > 0:
                await changes.wait(min(_LOOK, left))
                call = await self._look()
        here = call.company or not call.callers
        return call, "" if here else f"the phone of {phone.identity} was not answered"

    async def _coming(self, sent: Dispatch, call: Call) -> tuple[Call, str]:
        name = sent.agent_name
        logger.info("the agent %r was sent for and is not here yet: waiting for it", name)
        until = self._clock() + min(_COMES, _COMES - (self._wall() - sent.created_at))
        others = {leg.identity for leg in call.other_agents} - {*sent.agents}
        why = f"the agent {name!r}, which was sent for, has not come"
        came = False
        with Changes(self._room) as changes:
            while call.callers and not call.company:
                if not came and any(leg.identity not in others for leg in call.other_agents):
                    came, until = True, self._clock() + _STARTS
                    why = f"the agent {name!r} has come, and cannot be heard"
                if (left := until - self._clock()) <= 0:
                    return call, why
                await changes.wait(min(_LOOK, left))
                call = await self._look()
        return call, ""

    async def _sent(self) -> Dispatch | None:
        try:
            async with asyncio.timeout(_ASK):
                sent = await self._line.dispatches()
        except (OnhookError, TimeoutError) as error:
            logger.debug("whether another agent was sent for is not known: %r", error)
            return None
        return awaited_agent(sent, self._mine, self._wall())


def in_vain(failure: Failure, what: str, why: str) -> Failure:
    """Return a failure whose caller was left to somebody who did not come: they get words.

    Args:
        failure: It.
        what: How they were left to somebody.
        why: Why nobody came; empty where somebody did.
    """
    if not why:
        return failure
    evidence = {**failure.evidence, "by": "line", what: why}
    return dataclasses.replace(failure, detail=f"{failure.detail}; {why}", evidence=evidence)

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


def _settled(call: Call) -> bool:
    """Return whether no caller is left alone."""
    return bool(call.company) or not call.callers


class Arrivals:
    """Waits for a phone that is dialled, or an agent that was sent for a moment ago.

    Args:
        line: The call's line.
        look: Looks anew who is on the call.
        until: When a phone that is dialled has not been answered, or a transfer has failed, in
            seconds of the clock.
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
        until: float,
        mine: str = "",
        room: rtc.Room | None = None,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._line = line
        self._look = look
        self._until = until
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
        call = await self._looks(_settled, call, self._until)
        return call, "" if _settled(call) else "the transfer has not succeeded in time"

    async def _answer(self, phone: Leg, call: Call) -> tuple[Call, str]:
        logger.info("the phone of %s is dialled: waiting for its answer", phone.identity)
        call = await self._looks(lambda now: awaited_phone(now) is None, call, self._until)
        return call, "" if _settled(call) else f"the phone of {phone.identity} was not answered"

    async def _coming(self, sent: Dispatch, call: Call) -> tuple[Call, str]:
        name = sent.agent_name
        logger.info("the agent %r was sent for and is not here yet: waiting for it", name)
        others = {leg.identity for leg in call.other_agents} - {*sent.agents}

        def here(now: Call) -> bool:
            return _settled(now) or any(leg.identity not in others for leg in now.other_agents)

        left = min(_COMES, _COMES - (self._wall() - sent.created_at))
        call = await self._looks(here, call, self._clock() + left)
        if not here(call):
            return call, f"the agent {name!r}, which was sent for, has not come"
        call = await self._looks(_settled, call, self._clock() + _STARTS)
        return call, "" if _settled(call) else f"the agent {name!r} has come, and cannot be heard"

    async def _looks(self, over: Callable[[Call], bool], call: Call, until: float) -> Call:
        """Look until something is so, or until a moment; return the call as it is then."""
        with Changes(self._room) as changes:
            while not over(call) and (left := until - self._clock()) > 0:
                await changes.wait(min(_LOOK, left))
                call = await self._look()
        return call

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

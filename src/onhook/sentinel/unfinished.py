"""Incidents whose sentinel has died, and that nobody suspects any more: their end is told.

Where the caller still waits, the call is suspected again and its rescue gone on with. Where the
sentinel died after its last rung, and before it told the outcome, or the caller has hung up since,
nothing is left to be done; but each incident has one outcome.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from onhook.call import Call
from onhook.errors import ApiError, OnhookError
from onhook.incident import Ending, Outcome
from onhook.rescue.events import Closed, Opened, RescueEvent, Resumed, Ring, Sink
from onhook.rescue.progress import Progress, settled
from onhook.sentinel.fleet.claims import Claim, ClaimLostError, Claims
from onhook.sentinel.fleet.held_claim import HeldClaim
from onhook.sentinel.sightings import MembersListed

__all__ = ["Unfinished"]

logger = logging.getLogger("onhook")

_PERIOD = 5.0
_LOOKED_FOR = 200
_AT_ONCE = 10
"""Rooms that are asked for in one round."""
_TTL, _MARGIN = 4.0, 1.0
_ASK = 3.0
_DIED = "the sentinel that had begun it is gone"
_NOBODY: tuple[Ending, str] = ("released", "no caller is on the line any more")


class Unfinished:
    """Looks for them again and again.

    Args:
        claims: Who rescues which call.
        listed: Lists who is in a room now; raises `ApiError`.
        sinks: Returns new sinks for one incident.
        affordable: Takes one request out of the budget; returns whether it may be sent.
        owner: This sentinel's name.
        leads: Whether it is for this sentinel to do it.
        clock: Monotonic seconds.
        wall: Seconds since 1970.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        claims: Claims,
        listed: Callable[[str], Awaitable[MembersListed]],
        sinks: Callable[[], Sequence[Sink]],
        *,
        affordable: Callable[[], bool],
        owner: str,
        leads: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._claims = claims
        self._listed = listed
        self._sinks = sinks
        self._affordable = affordable
        self._owner = owner
        self._leads = leads
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._later: dict[str, float] = {}
        self.closed = 0
        """Incidents whose end was told."""

    async def watch(self) -> None:
        """Look for them, for ever."""
        while True:
            await self._sleep(_PERIOD)
            if self._leads():
                try:
                    await self.once()
                except (OnhookError, TimeoutError) as error:
                    logger.debug("incidents that were left are looked for later: %r", error)

    async def once(self) -> None:
        """Look once.

        Raises:
            FleetUnavailableError: Nobody can tell which there are.
        """
        now = self._clock()
        lapsed = await self._claims.lapsed(_LOOKED_FOR)
        self._later = {call: self._later[call] for call in lapsed if call in self._later}
        due = [call for call in lapsed if self._later.get(call, now) <= now]
        for call in due[:_AT_ONCE]:
            try:
                await self._look(call)
            except (ClaimLostError, ApiError, TimeoutError) as error:
                logger.debug("%s is looked at later: %r", call, error)
            self._later[call] = self._clock() + 2 * _PERIOD

    async def _look(self, call: str) -> None:
        events = await self._claims.events(call)
        opened = next((event for event in events if isinstance(event, Opened)), None)
        if opened is not None:
            if not self._affordable():
                return
            async with asyncio.timeout(_ASK):
                listed = await self._listed(opened.call.room)
            if Call(listed.room, tuple(member.leg for member in listed.members)).callers:
                return  # where something is still wrong, it is suspected again
        claim = await self._claims.claim(call, self._owner, _TTL)
        if isinstance(claim, Claim):
            await self._close(claim)

    async def _close(self, claim: Claim) -> None:
        async with HeldClaim(
            self._claims, claim, ttl=_TTL, margin=_MARGIN, clock=self._clock, wall=self._wall
        ) as held:
            opened = next((event for event in held.events if isinstance(event, Opened)), None)
            if opened is None:
                if held.events:  # of a newer sentinel
                    unknown = Outcome("unknown", "kept", "what was begun cannot be read here")
                    await held.finish(unknown)
                return  # nothing was begun: given back, it is forgotten
            past = Progress.of(held.events)
            ending, detail = settled(past) or _NOBODY
            sink = held.sink(*self._sinks())
            now: dict[str, Any] = {
                "incident": opened.incident,
                "at": self._clock(),
                "wall": self._wall(),
                "ring": Ring.SENTINEL,
            }
            ends: Sequence[RescueEvent] = (
                Resumed(**now, rung=past.begun, detail=_DIED),
                Closed(**now, ending=ending, detail=detail),
            )
            for event in (*(e for e in held.events if not isinstance(e, Closed)), *ends):
                sink.handle(event)
            await held.finish(Outcome(opened.incident, ending, detail, past.reports))
            self.closed += 1

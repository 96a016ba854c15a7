"""Which sentinel polls and judges: one, by a lease; each of them while they cannot agree.

The leader alone lists rooms, asks agents and begins rescues, so that a fleet spends the API budget
of one. All others fold what they hear by webhook (`sighting_stream`): when the leader dies, the
next one knows since when each caller has waited, polls at once, and judges after that. Leading is
no proof, since a leader that was stopped may wake: who acts on a call is settled by its claim.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from onhook.sentinel.fleet.claims import Claim, ClaimLostError, Claims, FleetUnavailableError

__all__ = ["LeaderLease"]

logger = logging.getLogger("onhook")

_NAME = "poll"


class LeaderLease:
    """Takes the lease where it is free, and keeps it. Somebody has to run `watch`.

    Args:
        claims: Where the lease is; used for nothing else.
        owner: This sentinel's name.
        ttl: Seconds after which another leads when this one has died.
        every: Seconds between two tries or renewals.
        clock: Seconds of a monotonic clock.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        claims: Claims,
        owner: str,
        *,
        ttl: float = 3.0,
        every: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._claims = claims
        self._owner = owner
        self._ttl = ttl
        self._every = every
        self._clock = clock
        self._sleep = sleep
        self._claim: Claim | None = None
        self._alone = False
        self.since = float("-inf")
        """Since when this sentinel leads without a break, by the clock."""
        self.leader = ""
        """Who leads, as far as it is known."""

    @property
    def leads(self) -> bool:
        """Whether this sentinel polls now."""
        held = self._claim is not None and self._clock() < self._claim.until
        return held or self._alone

    async def watch(self) -> None:
        """Try, and try again, until cancelled."""
        while True:
            await self.step()
            await self._sleep(self._every)

    async def step(self) -> None:
        """Renew the lease, or take it where it is free."""
        led = self.leads
        try:
            if self._claim is not None:
                self._claim = await self._claims.renew(self._claim, self._ttl)
            else:
                answer = await self._claims.claim(_NAME, self._owner, self._ttl)
                self._claim = answer if isinstance(answer, Claim) else None
                self.leader = answer.owner
                if self._claim is not None:
                    logger.info("this sentinel polls from now on")
            self._alone = False
        except ClaimLostError:
            self._claim = None  # who has it is asked for next time
        except FleetUnavailableError:
            self._alone = True
        if self.leads and not led:
            self.since = self._clock()

    async def resign(self) -> None:
        """Leave the lease to another at once."""
        claim, self._claim, self._alone = self._claim, None, False
        if claim is not None:
            try:
                await self._claims.release(claim, None)
            except (ClaimLostError, FleetUnavailableError) as error:
                logger.debug("the lease of the poll ends by itself: %s", error)

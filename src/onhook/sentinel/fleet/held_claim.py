"""A claim while a rescue goes on under it: kept alive, checked before each act, and given back.

What has been done is kept with the claim, so that another sentinel can go on after the last intent;
what is about to be done is kept before it is done. A sentinel whose claim is lost finds out before
its next act, and what it is just doing is stopped.

**The limit.** A request that is already on its way to LiveKit cannot be fenced: LiveKit knows no
token. A sentinel that is stopped (SIGSTOP, a paused virtual machine) between the check and the
request sends it when it wakes, perhaps after another has taken the call over; and whoever takes
over from one that died in mid-request does that rung again, since nobody knows how far it came
(`Climb.resumed`). The check leaves a margin of the request's own time-out, so that without such a
stop every request has ended before anybody else can hold the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Self

from onhook.errors import PolicyError
from onhook.incident import Outcome
from onhook.rescue.event_codec import encode
from onhook.rescue.events import RescueEvent, Sink, emit
from onhook.sentinel.fleet.claims import (
    MOST_EVENTS,
    Claim,
    ClaimLostError,
    Claims,
    FleetUnavailableError,
)
from onhook.sentinel.fleet.kept_events import translated
from onhook.tasks import end
from onhook.validation import require_seconds

__all__ = ["ClaimedSink", "HeldClaim"]

logger = logging.getLogger("onhook")

_PAUSE = 0.1
"""Seconds between two tries while what is shared cannot be reached."""
_GIVING_BACK = 1.5
_TRIES = 3


class HeldClaim:
    """Holds a claim, as an async context manager; given back at its end where it had no outcome.

    Args:
        claims: Where it was claimed.
        claim: The claim.
        ttl: Seconds of its lease: so long after this process has died another may go on.
        margin: Seconds that the lease must last at least when an act begins: the time-out of one
            request to LiveKit.
        clock: Seconds of the monotonic clock that `claim.until` is told by.
        wall: Seconds since 1970.
        sleep: Waits for some seconds.

    Raises:
        PolicyError: The lease is no longer than the margin and the way to Redis.
    """

    def __init__(
        self,
        claims: Claims,
        claim: Claim,
        *,
        ttl: float = 8.0,
        margin: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        require_seconds("HeldClaim", "margin", margin)
        if ttl <= margin:
            raise PolicyError(
                f"HeldClaim(ttl={ttl!r}, margin={margin!r}): a lease must outlast a request that "
                "has just begun; give a longer ttl, or a shorter api_timeout"
            )
        self._claims = claims
        self._claim = claim
        self._ttl = ttl
        self._margin = margin
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._pending: list[RescueEvent] = []
        self._kept: deque[RescueEvent] = deque(maxlen=MOST_EVENTS)
        self._acts: set[asyncio.Timeout] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._finished = False
        self.events: Sequence[RescueEvent] = ()
        """What an earlier rescuer told, for `Engine.resume`; empty for a new incident."""
        self.lost = ""
        """Why the claim is lost, in one sentence; empty while it is held."""

    async def __aenter__(self) -> Self:
        """Read what an earlier rescuer told, and begin to hold.

        Raises:
            FleetUnavailableError: It cannot be read.
        """
        kept = await self._claims.events(self._claim.call)
        self.events = self.translated(kept)
        self._kept.extend(self.events)
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go; a rescue that did not come to its end can be gone on with at once."""
        if self._keeper is not None:
            await end(self._keeper)
        if self._finished or self.lost:
            return
        try:
            async with asyncio.timeout(_GIVING_BACK):
                await self._claims.release(self._claim, None, tuple(self._pending))
        except (ClaimLostError, FleetUnavailableError, TimeoutError) as error:
            logger.warning("%s was not given back, its lease ends: %s", self._claim.call, error)

    @property
    def claim(self) -> Claim:
        """The claim, as it was last renewed."""
        return self._claim

    def handle(self, event: RescueEvent) -> None:
        """Keep an event beside the claim, soon; see `Sink.handle`. None is kept twice.

        Raises:
            EventError: It is too long for being kept.
        """
        if event in self._kept or event in self._pending:
            return
        encode(event)  # what cannot be kept must not keep the next ones from it
        del self._pending[MOST_EVENTS - 1 :]
        self._pending.append(event)
        self._wake.set()

    def translated(self, events: Sequence[RescueEvent]) -> Sequence[RescueEvent]:
        """Return events that were kept with an earlier claim, with times by this host's clock.

        Args:
            events: They, as they were kept.
        """
        return translated(events, clock=self._clock, wall=self._wall)

    def sink(self, *more: Sink) -> ClaimedSink:
        """Return a sink that keeps events beside the claim, and hands them on while it is held.

        Args:
            more: Sinks that are told nothing by a rescuer who has lost the call.
        """
        return ClaimedSink(self, more)

    async def assure(self) -> None:
        """Make sure that the call is ours, for at least the margin, and that all told is kept.

        Raises:
            ClaimLostError: It is not.
            FleetUnavailableError: Nobody can tell.
        """
        async with self._lock:
            for _ in range(_TRIES):
                await self._renew()
                if self._claim.until - self._clock() >= self._margin:
                    return
        raise FleetUnavailableError(
            f"{self._claim.call}: the lease of {self._ttl:g} s is used up by asking for it"
        )

    async def finish(self, outcome: Outcome) -> None:
        """Tell the one outcome.

        Args:
            outcome: As the engine returned it.

        Raises:
            ClaimLostError: Another has the call, or has finished it: this outcome does not count.
            FleetUnavailableError: It could not be told as long as the lease lasted.
        """
        async with self._lock:
            while True:
                self._require_held()
                pending = tuple(self._pending)
                try:
                    await self._claims.release(self._claim, outcome, pending)
                except ClaimLostError as error:
                    self._lose(str(error))
                    raise
                except FleetUnavailableError:
                    if self._clock() + _PAUSE >= self._claim.until:
                        raise
                    await self._sleep(_PAUSE)
                else:
                    self._finished = True
                    return

    @contextlib.asynccontextmanager
    async def acting(self) -> AsyncIterator[None]:
        """Run what is inside only as long as the claim is held.

        Raises:
            ClaimLostError: It was lost meanwhile; what was inside has been cancelled.
        """
        self._require_held()
        try:
            async with asyncio.timeout(None) as act:
                self._acts.add(act)
                try:
                    yield
                finally:
                    self._acts.discard(act)
        except TimeoutError:
            if not act.expired():
                raise
            raise ClaimLostError(self.lost) from None

    async def _keep(self) -> None:
        while not self.lost and not self._finished:
            rest = self._claim.until - self._ttl * 2 / 3 - self._clock()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, rest)):
                    await self._wake.wait()
            self._wake.clear()
            try:
                async with self._lock:
                    if not self._finished:
                        await self._renew()
            except ClaimLostError:
                return
            except FleetUnavailableError as error:
                if self._clock() >= self._claim.until:
                    self._lose(f"{self._claim.call}: the lease has lapsed: {error}")
                    return
                await self._sleep(_PAUSE)
                self._wake.set()

    async def _renew(self) -> None:
        self._require_held()
        pending = tuple(self._pending)
        try:
            self._claim = await self._claims.renew(self._claim, self._ttl, pending)
        except ClaimLostError as error:
            self._lose(str(error))
            raise
        del self._pending[: len(pending)]
        self._kept.extend(pending)

    def _require_held(self) -> None:
        if self.lost:
            raise ClaimLostError(self.lost)
        if self._finished:
            raise ClaimLostError(f"{self._claim.call}: its outcome has been told already")

    def _lose(self, why: str) -> None:
        if self.lost:
            return
        self.lost = why
        logger.warning("the rescue is left to another sentinel: %s", why)
        for act in self._acts:
            act.reschedule(0.0)  # long ago: now


class ClaimedSink:
    """Hands events on while the claim is held: who has lost a call tells nobody how it ends.

    Args:
        held: The claim.
        sinks: Are told after it.
    """

    def __init__(self, held: HeldClaim, sinks: Sequence[Sink]) -> None:
        self._held = held
        self._sinks = tuple(sinks)

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`."""
        if not self._held.lost:
            emit((self._held, *self._sinks), event)

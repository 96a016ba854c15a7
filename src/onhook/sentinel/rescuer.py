"""Climbs the ladder of a call that nobody on its agent's host can save."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.incident import Failure, Incident, Mode, Outcome
from onhook.line import Line
from onhook.livekit.bounded_line import BoundedLine
from onhook.livekit.credentials import Credentials
from onhook.livekit.outside_rescuer import LOOK, OutsideRescuer
from onhook.livekit.slots import Slots
from onhook.policy import RescuePolicy
from onhook.rescue.engine import Engine
from onhook.rescue.events import RescueEvent, Ring, Sink
from onhook.sentinel.fleet.claimed_line import ClaimedLine
from onhook.sentinel.fleet.held_claim import HeldClaim
from onhook.sentinel.plans import Plan
from onhook.sentinel.suspicion import Suspicion
from onhook.sinks import Observer
from onhook.sinks.journal import Journal

__all__ = ["CallRescuer", "ConfirmedCall", "Lines"]

logger = logging.getLogger("onhook")

_ANNOUNCEMENTS, _PATIENCE = 16, 5.0
"""Callers who are spoken to at once, and seconds that another one waits to be: who has not been
told anything by then is released."""
_REDISPATCHES, _NO_PATIENCE = 4, 0.1
"""Rungs that send another agent, at once; the others go on to the next rung without waiting."""


@dataclass(frozen=True, slots=True)
class ConfirmedCall:
    """A call whose suspicion a second kind of evidence has confirmed.

    Args:
        suspicion: What was suspected, and still is.
        call: Everybody on it, as just listed.
        plan: What is done for it.
        mode: Whether it is done.
        evidence: What has confirmed it, as plain strings.
        dead: Identities of agents that are in the room by the server's books only.
    """

    suspicion: Suspicion
    call: Call
    plan: Plan
    mode: Mode
    evidence: tuple[tuple[str, str], ...] = ()
    dead: tuple[str, ...] = ()

    @property
    def room(self) -> str:
        """Room name."""
        return self.suspicion.room


class Lines(Protocol):
    """Opens lines and makes engines; see `OutsideRescuer`."""

    def line(
        self,
        room: str,
        *,
        agent: str = "",
        job: str = "",
        api_timeout: float,
        since: float = 0.0,
    ) -> AbstractAsyncContextManager[BoundedLine]:
        """Open the line of a call."""

    def sinks(self) -> Sequence[Sink]:
        """Return new sinks for one incident."""

    def engine(
        self, line: Line, policy: RescuePolicy, mode: Mode, sinks: Sequence[Sink] | None = None
    ) -> Engine:
        """Return the engine for one incident."""

    async def warm(self) -> None:
        """Load what an announcement needs."""


class CallRescuer:
    """Rescues confirmed calls; bounded in how many it speaks to and sends agents to at once.

    Args:
        lines: Opens lines and makes engines.
        clock: Monotonic seconds.
    """

    def __init__(self, lines: Lines, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._clock = clock

    @classmethod
    def of(
        cls,
        credentials: Credentials,
        journal: Journal | None = None,
        observers: Sequence[Observer] | None = None,
        *,
        sinks: Sequence[Sink] = (),
        asked: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> CallRescuer:
        """Return a rescuer for the calls of one server.

        Args:
            credentials: Server and key.
            journal: Keeps the evidence.
            observers: Are told of every incident; a `LoggingObserver` when omitted.
            sinks: Are given the events of all incidents.
            asked: Called at each request to the server's API, where somebody counts them.
            clock: Monotonic seconds.
        """
        outside = OutsideRescuer(
            credentials,
            journal,
            observers,
            sinks=sinks,
            ring=Ring.SENTINEL,
            words=Slots(_ANNOUNCEMENTS, patience=_PATIENCE),
            dispatches=Slots(_REDISPATCHES, patience=_NO_PATIENCE, without="nobody was sent"),
            asked=asked,
            clock=clock,
        )
        return cls(outside, clock=clock)

    async def prepare(self) -> None:
        """Load what an announcement needs, before a caller waits for it."""
        await self._lines.warm()

    def sinks(self) -> Sequence[Sink]:
        """Return new sinks for one incident that is told of, and not rescued."""
        return self._lines.sinks()

    @contextlib.asynccontextmanager
    async def line(self, room: str, since: float) -> AsyncIterator[BoundedLine]:
        """Open a call's line for something that is no rescue.

        Args:
            room: Room name.
            since: Since when its caller waits.
        """
        async with self._lines.line(room, api_timeout=LOOK, since=since) as line:
            yield line

    async def rescue(
        self, confirmed: ConfirmedCall, held: HeldClaim, earlier: Sequence[RescueEvent] = ()
    ) -> Outcome:
        """Carry a call's incident to its one outcome, or go on with that of another sentinel.

        Args:
            confirmed: The call.
            held: The claim on it.
            earlier: What was told of a rescue that could not release the line: it is gone on with,
                and no rung is climbed again but the last.

        Raises:
            ClaimLostError: Another sentinel has the call.
            FleetUnavailableError: The outcome could not be told to the others.
        """
        async with self._opened(confirmed) as bounded:
            line = ClaimedLine(bounded, held)
            policy, sink = confirmed.plan.policy, held.sink(*self._lines.sinks())
            engine = self._lines.engine(line, policy, confirmed.mode, [sink])
            try:
                if held.events:
                    outcome = await engine.resume(held.events, "another sentinel has begun it")
                elif earlier:
                    outcome = await engine.resume(earlier, "the line was not released, once more")
                else:
                    call = await self._without_dead(line, confirmed)
                    outcome = await engine.handle(Incident(self._failure(confirmed), call))
            except asyncio.CancelledError:
                if engine.outcome is not None and engine.outcome.safe:
                    await held.finish(engine.outcome)
                raise
        await held.finish(outcome)
        return outcome

    def _failure(self, confirmed: ConfirmedCall) -> Failure:
        suspicion = confirmed.suspicion
        return Failure(
            suspicion.fault,
            suspicion.detail,
            self._clock(),
            evidence={**suspicion.evidence, **dict(confirmed.evidence)},
            severity=suspicion.severity,
            silent_since=suspicion.since,
        )

    def _opened(self, confirmed: ConfirmedCall) -> AbstractAsyncContextManager[BoundedLine]:
        return self._lines.line(
            confirmed.room,
            agent=confirmed.call.agent,
            job=confirmed.call.job,
            api_timeout=confirmed.plan.policy.api_timeout,
            since=confirmed.suspicion.since,
        )

    async def _without_dead(self, line: Line, confirmed: ConfirmedCall) -> Call:
        """Take dead agents out of the room: they might wake and talk over the rescue.

        Nobody is taken out where somebody else keeps the caller company: then nothing is done.
        """
        call = confirmed.call
        living = [leg for leg in call.company if leg.identity not in confirmed.dead]
        if confirmed.mode != "act" or not confirmed.dead or living:
            return call
        try:
            async with asyncio.timeout(LOOK):
                await asyncio.gather(*map(line.remove, confirmed.dead))
                return await line.picture()
        except (OnhookError, TimeoutError) as error:
            logger.warning("room %s: a dead agent is still listed: %s", confirmed.room, error)
            return call

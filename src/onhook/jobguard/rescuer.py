"""The rescue of one call: looks who is there, opens the incident, lets the engine act."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from livekit.agents import JobContext

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Mode, Outcome
from onhook.jobguard.detectors.first_audio import late_caller
from onhook.jobguard.detectors.transfers import Transfer, Transfers
from onhook.jobguard.job_phase import JobState
from onhook.line import Line
from onhook.livekit.arrivals import Arrivals, in_vain
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Closed, Ring, Sink, emit
from onhook.sinks import Observer, ObserverSink
from onhook.tasks import end
from onhook.watchdog.protocol.messages import AWAITING, TRANSFERRING

__all__ = ["Rescuer"]

logger = logging.getLogger("onhook")

_LEAVES = (Fault.AGENT_SHUTDOWN, Fault.SESSION_ENDED)
"""Faults of an agent that leaves its caller on purpose, maybe to somebody who is on their way."""
_TO_NOBODY = "", 0.0
_DIALS = 30.0
"""Seconds for a phone that is dialled to be answered, as for a transfer that names no time."""
_LOOK = 1.0
"""Seconds for the first picture of a call; the rescue goes on without it."""


class Rescuer:
    """Rescues one call, once, unless the agent itself came back by it.

    Args:
        ctx: The job.
        policy: What to do.
        sinks: Are given every event, in this order.
        observers: Are told of every incident after that.
        clock: Seconds of a monotonic clock.
        open_line: Opens the call's line.
        unseen: Returns the picture of a call that nobody could look at.
        transfers: Knows which callers are being transferred; none when omitted.
        mode: Whether it acts, or records what it would have done.
    """

    def __init__(
        self,
        ctx: JobContext,
        policy: Policy,
        sinks: Sequence[Sink],
        observers: Sequence[Observer] = (),
        *,
        clock: Callable[[], float],
        open_line: Callable[[], AbstractAsyncContextManager[Line]],
        unseen: Callable[[], Call],
        transfers: Transfers | None = None,
        mode: Mode = "act",
    ) -> None:
        self._ctx = ctx
        self._policy = policy
        self._sinks = tuple(sinks)
        self._observers = tuple(observers)
        self._clock = clock
        self._open_line = open_line
        self._unseen = unseen
        self._mode: Mode = mode
        self._transfers = transfers or Transfers(ctx.job.room.name, clock)
        self._lock = asyncio.Lock()
        self._soft: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[bool] | None = None
        """Ends when the agent is heard again after soft words."""
        self.leaving = _TO_NOBODY
        """To what the agent leaves its caller, and until when; its beats tell it the watchdog."""
        self.state = JobState()
        """Where the job stands."""
        self.outcome: Outcome | None = None
        """The outcome of the rescue, once there is one."""

    def tell(self, sink: Sink) -> None:
        """Give one more sink every event, before all others."""
        self._sinks = (sink, *self._sinks)

    async def rescue(self, failure: Failure) -> None:
        """Open the one incident of this call and see it to its outcome; later causes wait for it.

        A failure with no caller on the line opens none, so that a later one still can; nor does
        one from which the agent recovered.
        """
        async with self._lock:
            if self.state.over:
                if self.state.released:
                    logger.info("%s. %s", failure.detail, self.state.why_over)
                return
            self.state.cause_noticed()
            self.outcome = None
            self._no_return()
            if self._soft is not None:
                self._soft.cancel("the agent is lost")
            broke = False
            try:
                async with self._open_line() as line:
                    await self._handle(line, failure)
            except Exception:  # nothing of ours may take the place of the original error
                logger.exception("onhook could not rescue the call in %s", self._room)
                broke = self.outcome is None
            finally:
                if broke:
                    self.state.rescue_broke()  # the next cause is acted upon
                else:
                    self.state.rescue_ended(recovered=self.recovered)

    async def soften(self, failure: Failure, settled: asyncio.Task[bool]) -> None:
        """Climb the soft ladder, and stop as soon as the agent is heard again or lost.

        Args:
            failure: What went wrong in this turn.
            settled: Ends when there is no need of it any more; returns whether that is because the
                agent is heard again.
        """
        self._no_return()
        climbing = self._climb_softly(failure, settled)
        self._soft = soft = asyncio.create_task(climbing, name="onhook-soft")
        try:
            await asyncio.wait((soft, settled), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(soft)
            if self._returning is not settled:
                await end(settled)

    def release(self, reason: str) -> None:
        """Leave this call alone from now on, because the agent leaves it on purpose.

        Args:
            reason: Why, for the log.
        """
        self.state.release(reason)
        self._no_return()
        if self._soft is not None:
            self._soft.cancel("the agent releases the call")

    @property
    def recovered(self) -> bool:
        """Whether the last rescue brought the agent itself back."""
        return self.outcome is not None and self.outcome.ending == "recovered"

    @property
    def observed(self) -> bool:
        """Whether the call would have been rescued, and was left as it is."""
        return self.outcome is not None and self.outcome.ending == "observed"

    def heard_again(self, failure: Failure, outcome: Outcome) -> None:
        """Keep that the agent is heard again, whose call was or would have been acted upon.

        Args:
            failure: Why.
            outcome: What became of it by then.
        """
        now = self._clock()
        detail = f"{outcome.detail}; the agent was heard again {now - failure.at:.1f} s later"
        logger.info("%s %s: %s", outcome.incident, outcome.ending, detail)
        told = Closed(
            incident=outcome.incident,
            at=now,
            wall=time.time(),
            ring=Ring.GUARD,
            ending=outcome.ending,
            detail=detail,
            recovered=True,
        )
        emit(self._sinks, told)

    async def settled(self) -> None:
        """Wait until a rescue that is under way has its outcome."""
        async with self._lock:
            return

    async def look(self, line: Line) -> Call:
        """Return a picture of the call, or what is known where none can be had in time."""
        try:
            async with asyncio.timeout(_LOOK):
                return await line.picture()
        except (OnhookError, TimeoutError) as error:
            logger.warning("could not see who is on the call: %s", error)
        except Exception:  # a caller may be there, whatever our eyes suffer from
            logger.exception("could not see who is on the call")
        return self._unseen()

    async def _climb_softly(self, failure: Failure, settled: asyncio.Task[bool]) -> None:
        try:
            async with self._open_line() as line:
                call = await self.look(line)
                leaves = self._transfers.under_way(call) is not None
                if call.callers and not leaves and not self.state.over:
                    engine = self._engine(line)
                    self._returning = settled
                    settled.add_done_callback(functools.partial(self._returned, failure, engine))
                    await engine.handle(Incident(failure, call))
        except Exception:  # soft words that fail leave the call as it is
            logger.exception("onhook could not soften the silence in %s", self._room)

    def _returned(self, failure: Failure, engine: Engine, settled: asyncio.Task[bool]) -> None:
        """The agent is heard again after soft words, or the call is settled otherwise."""
        if not settled.cancelled() and settled.exception() is None and settled.result():
            if (outcome := engine.outcome) is not None:
                self.heard_again(failure, outcome)
            elif self._soft is not None:  # its words are just being stopped
                self._soft.add_done_callback(lambda _: self._stopped(failure, engine))

    def _stopped(self, failure: Failure, engine: Engine) -> None:
        if engine.outcome is not None:
            self.heard_again(failure, engine.outcome)

    def _no_return(self) -> None:
        """Wait for the agent no longer: something else happens to its call."""
        returning, self._returning = self._returning, None
        if returning is not None:
            returning.cancel()

    async def _handle(self, line: Line, failure: Failure) -> None:
        cancelled: asyncio.CancelledError | None = None
        call = self._unseen()
        try:
            call = await self.look(line)
            if call.complete and not call.callers:
                call = await late_caller(
                    self._ctx.room, call, self._policy.late_caller, clock=self._clock
                )
        except asyncio.CancelledError as error:
            cancelled = error
        if cancelled is None and (transfer := self._transfers.under_way(call)) is not None:
            failure = await self._see_through(line, transfer, failure)
            call = await self.look(line)
        elif cancelled is None and failure.fault in _LEAVES and call.callers and not call.company:
            call, failure = await self._await_arrival(line, call, failure)
        if call.callers or not call.complete:
            self.state.incident_opened()
            self.outcome = await self._engine(line).handle(Incident(failure, call))
        elif failure.error is not None:
            logger.info("%s, and no caller was on the line", failure.detail)
        if cancelled is not None:
            raise cancelled

    async def _see_through(self, line: Line, transfer: Transfer, failure: Failure) -> Failure:
        """Wait for the end of a transfer; return the failure as it is where that has failed too.

        The agent left its caller to the transfer: when that fails, they get words.
        """
        self.leaving = TRANSFERRING, transfer.until
        why = await self._transfers.ends(line, transfer, ask=self._mode == "act")
        self.leaving = _TO_NOBODY
        return in_vain(failure, "transfer", why)

    async def _await_arrival(
        self, line: Line, call: Call, failure: Failure
    ) -> tuple[Call, Failure]:
        """Wait for somebody whom the agent has sent for; see `_see_through`."""
        look, room = functools.partial(self.look, line), self._ctx.room
        mine = self._ctx.job.dispatch_id
        until = self._clock() + _DIALS
        arrivals = Arrivals(line, look, until=until, mine=mine, room=room, clock=self._clock)
        self.leaving = AWAITING, until
        call, why = await arrivals.wait(call)
        self.leaving = _TO_NOBODY
        return call, in_vain(failure, "arrival", why)

    def _engine(self, line: Line) -> Engine:
        observers = (ObserverSink(observer) for observer in self._observers)
        sinks = (*self._sinks, *observers)
        return Engine(line, policy=self._policy, sinks=sinks, clock=self._clock, mode=self._mode)

    @property
    def _room(self) -> str:
        return self._ctx.job.room.name

"""Rescues the call of a job that cannot: its own ladder, climbed from outside."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.incident import Failure, Incident, Outcome
from onhook.ladder import Ladder
from onhook.line import Line
from onhook.livekit.credentials import Credentials
from onhook.livekit.outside_rescuer import LOOK, OutsideRescuer
from onhook.livekit.slots import Slots
from onhook.rescue.engine import Engine
from onhook.rescue.events import RescueEvent, Ring, Sink
from onhook.rungs import Keep, Say
from onhook.sinks import Observer
from onhook.sinks.journal import Journal
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import NO_NEWS, TRANSFERRING, Beat, Hello

__all__ = ["JobRescuer"]

logger = logging.getLogger("onhook")

_LATE_POLL = 0.25
_ANNOUNCEMENTS = 8


class JobRescuer:
    """Has the credentials, and climbs ladders.

    Args:
        credentials: Server and key of all its jobs.
        journal: Keeps the evidence.
        observers: Are told of every incident; a `LoggingObserver` when omitted.
        sinks: Are given every event of every incident, after the journal.
        announcements: How many callers are spoken to at once; the others are released at once.
        clock: Seconds of the host's monotonic clock.
    """

    def __init__(
        self,
        credentials: Credentials,
        journal: Journal | None = None,
        observers: Sequence[Observer] | None = None,
        *,
        sinks: Sequence[Sink] = (),
        announcements: int = _ANNOUNCEMENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outside = OutsideRescuer(
            credentials,
            journal,
            observers,
            ring=Ring.WATCHDOG,
            words=Slots(announcements),
            sinks=sinks,
            clock=clock,
        )
        self._clock = clock
        self.credentials = credentials

    async def prepare(self) -> None:
        """Load what an announcement needs, beside the loop and before a caller waits for it."""
        await self._outside.prepare()

    async def rescue(
        self, job: Hello, failure: Failure, *, intruder: bool, news: Beat = NO_NEWS
    ) -> Outcome | None:
        """Rescue the call of a job, if anybody is on its line.

        Args:
            job: The job.
            failure: What happened to it.
            intruder: Whether its process may still wake: then its participant is removed first.
            news: What its agent did: it may have left its caller to somebody.

        Returns:
            The outcome, or `None` where no caller was on the line.
        """
        async with self._line(job, intruder=intruder) as line:
            call = await self._look(line, job)
            if call.complete and not call.callers:
                call = await self._late_caller(line, call, job.policy.late_caller)
            if news.leaves and call.callers and not call.company:
                call, failure = await self._left_to(line, job, news, call, failure)
            if call.complete and not call.callers:
                logger.info("%s (room %s): no caller was on the line", failure.detail, job.room)
                return None
            return await self._engine(line, job).handle(Incident(failure, call))

    async def soften(self, job: Hello, failure: Failure) -> None:
        """Tell the caller of a job whose loop stands still that it takes a moment.

        The agent stays in the room. Cancelled, the words stop, and the call is the agent's.

        Args:
            job: The job.
            failure: What is known of it; the call is not lost.
        """
        async with self._line(job, intruder=False) as line:
            call = await self._look(line, job)
            if call.callers or not call.complete:
                engine = self._engine(line, job, _words_only(job.policy))
                await engine.handle(Incident(failure, call))

    async def resume(
        self, job: Hello, events: Sequence[RescueEvent], reason: str, *, intruder: bool
    ) -> Outcome:
        """Go on with a rescue that the job's guard had begun.

        Args:
            job: The job.
            events: What the guard had told of it.
            reason: Why somebody else goes on with it.
            intruder: Whether its process may still wake.
        """
        logger.warning("%s is taken over (room %s): %s", events[0].incident, job.room, reason)
        async with self._line(job, intruder=intruder) as line:
            return await self._engine(line, job).resume(events, reason)

    async def _left_to(
        self, line: Line, job: Hello, news: Beat, call: Call, failure: Failure
    ) -> tuple[Call, Failure]:
        """Wait for somebody to whom the agent had left its caller: its job did not live to."""
        from onhook.livekit.arrivals import Arrivals, in_vain  # noqa: PLC0415 - see `prepare`

        look = functools.partial(self._look, line, job)
        arrivals = Arrivals(line, look, until=news.left_until, clock=self._clock)
        wait = arrivals.referred if news.state == TRANSFERRING else arrivals.wait
        call, why = await wait(call)
        return call, in_vain(failure, "arrival", why)

    @contextlib.asynccontextmanager
    async def _line(self, job: Hello, *, intruder: bool) -> AsyncIterator[Line]:
        timeout = job.policy.api_timeout
        async with self._outside.line(
            job.room, agent=job.agent, job=job.job, api_timeout=timeout
        ) as line:
            if intruder and job.mode == "act":
                await self._silence(line, job)
            yield line

    def _engine(self, line: Line, job: Hello, policy: JobPolicy | None = None) -> Engine:
        return self._outside.engine(line, policy or job.policy, job.mode)

    async def _silence(self, line: Line, job: Hello) -> None:
        """Take the agent out of the room, so that it cannot wake and talk over the rescue."""
        try:
            async with asyncio.timeout(LOOK):
                await line.remove(job.agent)
        except (OnhookError, TimeoutError) as error:
            logger.warning("could not remove the agent of job %s: %s", job.job, error)

    async def _look(self, line: Line, job: Hello) -> Call:
        return await self._outside.look(line, job.room, agent=job.agent, job=job.job)

    async def _late_caller(self, line: Line, call: Call, seconds: float) -> Call:
        """Give a leg that is just joining a moment; outside the room no event tells of it."""
        until = self._clock() + seconds
        while not (call.callers or call.humans) and self._clock() < until:
            await asyncio.sleep(_LATE_POLL)
            with contextlib.suppress(OnhookError):
                call = await line.picture()
        return call


def _words_only(policy: JobPolicy) -> JobPolicy:
    """Keep of the soft ladder what is said: a loop that may come back keeps its call."""
    words = [rung for rung in policy.impaired.rungs if isinstance(rung, Say)]
    soft = Ladder((*words, Keep("the loop may come back")))
    return msgspec.structs.replace(policy, impaired=soft)

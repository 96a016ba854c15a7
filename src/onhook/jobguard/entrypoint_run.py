"""Runs the entrypoint of a guarded job to its end, through every further attempt at it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from livekit.agents import JobContext

from onhook.errors import EntrypointStalledError
from onhook.faults import Fault
from onhook.incident import Failure
from onhook.jobguard.argument_checks import Entrypoint
from onhook.jobguard.attempts import Attempts
from onhook.jobguard.failures import left_by
from onhook.jobguard.rescuer import Rescuer

__all__ = ["EntrypointRun"]

logger = logging.getLogger("onhook")


class EntrypointRun:
    """One entrypoint under guard: when it fails, the caller is made safe before anybody is told.

    Args:
        ctx: The job.
        rescuer: Makes the caller safe.
        session: Returns the job's session, or `None` where none had started.
        clock: Seconds of a monotonic clock.
        observes: Whether nothing may be done, and the entrypoint's exception always goes on.
    """

    def __init__(
        self,
        ctx: JobContext,
        rescuer: Rescuer,
        session: Callable[[], object | None],
        clock: Callable[[], float],
        *,
        observes: bool,
    ) -> None:
        self._ctx = ctx
        self._rescuer = rescuer
        self._clock = clock
        self._observes = observes
        self._attempts = Attempts(self._begin, ctx.room, session, clock)
        self._entrypoint: Entrypoint | None = None
        self._task: asyncio.Task[None] | None = None
        self._stall: EntrypointStalledError | None = None

    @property
    def runs(self) -> bool:
        """Whether the entrypoint has not returned."""
        return self._task is not None

    @property
    def again(self) -> Callable[[], Awaitable[str]]:
        """Runs the entrypoint again, see `onhook.line.Line.retry`."""
        return self._attempts.again

    async def to_the_end(
        self, entrypoint: Entrypoint, set_up: Awaitable[None], *, reraise: bool
    ) -> None:
        """Run the entrypoint in this task.

        Args:
            entrypoint: The developer's coroutine function.
            set_up: Comes before it.
            reraise: Whether its exception goes on to the framework after the rescue.

        Raises:
            BaseException: Whatever the entrypoint raised, unchanged.
            EntrypointStalledError: It was ended because no word came of it.
        """
        self._entrypoint, self._task = entrypoint, asyncio.current_task()
        try:
            await set_up
            attempt: Awaitable[None] | None = self._begin()
            while attempt is not None:
                attempt = await self._see_through(attempt, reraise=reraise)
        finally:
            self._task = None

    async def stalled(self, detail: str, since: float | None = None) -> bool:
        """Rescue the call of an agent that does not come up, and end its entrypoint.

        Args:
            detail: What its caller has waited for.
            since: When the line was answered, in seconds of the clock; `None` if it rings.

        Returns:
            Whether the agent came up by that.
        """
        stall = EntrypointStalledError(detail)
        now = self._clock()
        failure = Failure(Fault.ENTRYPOINT_STALLED, detail, now, stall, silent_since=since)
        if self._observes:
            await self._rescuer.rescue(failure)
            return False
        self._stall, task = stall, self._task
        if task is not None:
            task.cancel()
        await self._rescuer.rescue(failure)
        if task is None:
            self._ctx.shutdown(detail)
        return self._rescuer.recovered

    async def _begin(self) -> None:
        if self._entrypoint is not None:
            await self._entrypoint(self._ctx)

    async def _see_through(
        self, attempt: Awaitable[None], *, reraise: bool
    ) -> Awaitable[None] | None:
        """Wait for the entrypoint; when it fails, make the caller safe first.

        Returns:
            The next attempt, where the rescue has begun one that came up.
        """
        ended: BaseException | None = None
        try:
            await attempt
        except GeneratorExit:
            raise
        except BaseException as error:
            ended, failure = error, left_by(error, self._clock())
            if not self._is_of_our_own(error):
                if not isinstance(error, Exception):
                    self._attempts.close("was told to end")
                await self._rescuer.rescue(failure)
                if self._attempts.recovered:
                    return self._attempts.take()
                if reraise or self._observes or not isinstance(error, Exception):
                    raise
                self._ctx.shutdown(failure.detail)
        if self._stall is not None:
            return await self._after_stall(self._stall, ended, reraise=reraise)
        self._attempts.close("has returned")
        return None

    async def _after_stall(
        self, stall: EntrypointStalledError, ended: BaseException | None, *, reraise: bool
    ) -> Awaitable[None] | None:
        """Return the attempt that came up in the place of one that stalled.

        Args:
            stall: Why it was ended.
            ended: What it made of that: a cancellation shows where it stood.
            reraise: See `to_the_end`.
        """
        await self._rescuer.settled()
        recovered = self._attempts.recovered
        if isinstance(ended, Exception) and (recovered or not reraise):
            logger.error("the entrypoint that had stalled ended with", exc_info=ended)
        if recovered:
            self._stall = None
            return self._attempts.take()
        self._ctx.shutdown(str(stall))
        if reraise:
            raise stall from ended
        self._attempts.close("has returned")
        return None

    def _is_of_our_own(self, error: BaseException) -> bool:
        """Return whether our own cancellation came back, or what the entrypoint made of it."""
        if self._stall is None or self._task is None:
            return False
        if isinstance(error, asyncio.CancelledError):
            return self._task.uncancel() == 0
        return isinstance(error, Exception)

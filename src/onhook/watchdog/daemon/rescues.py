"""What the watchdog does for the calls of its jobs: every task has its owner here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from onhook.incident import Failure
from onhook.ladder import Ladder
from onhook.watchdog.daemon.guard_rescue import GuardRescue
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.daemon.watched_job import Job
from onhook.watchdog.protocol.messages import Hello

__all__ = ["Rescues"]

logger = logging.getLogger("onhook")

_WORDS_END = 1.5
"""Seconds that soft words get to stop before a rescue speaks."""
_REMEMBERED = 1000
"""Jobs of which it is remembered that their call was taken from them."""


class Rescues:
    """Runs the rescues, and what else the watch over jobs needs to run beside it.

    Args:
        rescuer: Climbs the ladders.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, rescuer: JobRescuer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rescuer = rescuer
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._rescues: dict[asyncio.Task[None], tuple[Hello, float]] = {}
        self._taken: deque[str] = deque(maxlen=_REMEMBERED)
        self.done = 0
        """How many have been brought to their end since the start."""

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._tasks)

    @property
    def under_way(self) -> bool:
        """Whether there is a rescue to finish."""
        return bool(self._rescues)

    @property
    def jobs(self) -> tuple[tuple[Hello, float], ...]:
        """The jobs whose calls are being rescued, and until when that may take."""
        return tuple(self._rescues.values())

    async def aclose(self) -> None:
        """Give up every task."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def took(self, job: str) -> bool:
        """Return whether a job's call has been taken from it.

        Args:
            job: The job's id.
        """
        return job in self._taken

    def soften(self, job: Job, failure: Failure) -> None:
        """Tell a caller, once, that it takes a moment; `Job.words` stops it."""
        if job.words is None:
            job.words = self.spawn(self._rescuer.soften(job.hello, failure))

    def rescue(self, job: Job, failure: Failure, *, intruder: bool) -> None:
        """Give a job's call its ladder. See `JobRescuer.rescue`."""
        ladder = job.hello.policy.ladder_for(failure.fault)
        work = self._rescue(job, failure, intruder=intruder)
        patience = max(0.0, job.news.left_until - self._clock())
        self._take(job, ladder, work, patience=patience)

    def resume(self, job: Job, recorded: GuardRescue, why: str, *, intruder: bool) -> None:
        """Go on with what the job's guard had begun. See `JobRescuer.resume`."""
        ladder = recorded.opened.ladder
        self._take(job, ladder, self._resume(job, recorded, why, intruder=intruder))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the watch; what it raises is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _take(
        self, job: Job, ladder: Ladder, work: Coroutine[Any, Any, None], *, patience: float = 0.0
    ) -> None:
        self._taken.append(job.hello.job)
        task = self.spawn(work)
        until = self._clock() + patience + ladder.longest(job.hello.policy.api_timeout)
        self._rescues[task] = (job.hello, until)
        task.add_done_callback(self._rescues.pop)

    async def _rescue(self, job: Job, failure: Failure, *, intruder: bool) -> None:
        await self._hush(job)
        outcome = await self._rescuer.rescue(job.hello, failure, intruder=intruder, news=job.news)
        if outcome is not None:
            self.done += 1

    async def _resume(self, job: Job, recorded: GuardRescue, why: str, *, intruder: bool) -> None:
        await self._hush(job)
        await self._rescuer.resume(job.hello, recorded.events, why, intruder=intruder)
        self.done += 1

    async def _hush(self, job: Job) -> None:
        """Let one voice end before another begins."""
        if job.words is not None:
            job.words.cancel()
            await asyncio.wait((job.words,), timeout=_WORDS_END)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the watchdog failed a call: %r", error, exc_info=error)

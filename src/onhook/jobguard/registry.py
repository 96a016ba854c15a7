"""Which guard watches over which job, so that an agent's own code can speak to it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from livekit.agents import JobContext

if TYPE_CHECKING:
    from onhook.jobguard.job import GuardedJob

__all__ = ["guarded", "register"]

_jobs: WeakKeyDictionary[JobContext, GuardedJob] = WeakKeyDictionary()


def register(ctx: JobContext, job: GuardedJob) -> None:
    """Remember the guard of a job for as long as the job's context lives."""
    _jobs[ctx] = job


def guarded(ctx: JobContext) -> GuardedJob | None:
    """Return the guard of a job, or `None` where nothing guards it."""
    return _jobs.get(ctx)

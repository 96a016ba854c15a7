"""One job that is watched, and what is known of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from onhook.watchdog.daemon.guard_rescue import GuardRescue
from onhook.watchdog.daemon.liveness import Pulse
from onhook.watchdog.protocol.messages import NO_NEWS, Beat, Hello
from onhook.watchdog.protocol.peer import Process

__all__ = ["Job", "evidence"]


@dataclass(eq=False, slots=True)
class Job:
    """One job that is watched.

    Args:
        hello: What it said of itself.
        process: Its process.
        pulse: Its beats.
        news: What its last beat said that had something to say.
        told_at: When that was, on the watchdog's clock.
        linked: Whether its connection stands.
        left_at: When its connection was lost, on the watchdog's clock.
        gone: Whether it needs nobody any more: it has said goodbye, or is being rescued.
        recorded: The incident of its own guard, if there is one.
        words: Tells the caller that it takes a moment, while the loop stands still.
        verifying: Looks into it while it is suspect.
    """

    hello: Hello
    process: Process
    pulse: Pulse
    news: Beat = NO_NEWS
    told_at: float = 0.0
    linked: bool = True
    left_at: float | None = None
    gone: bool = False
    recorded: GuardRescue | None = None
    words: asyncio.Task[None] | None = field(default=None, repr=False)
    verifying: asyncio.Task[None] | None = field(default=None, repr=False)


def evidence(job: Job, now: float) -> dict[str, str]:
    """Return what a person will ask for who reads of it later."""
    return {
        "pid": str(job.process.pid),
        "worker": str(job.hello.worker),
        "process": job.process.state() or "gone",
        "last_beat": f"{job.pulse.silent_for(now):.2f} s ago",
        "loop_lag": f"{job.news.lag:.3f} s",
        "agent": job.news.state or "unknown",
        "last_audible": _last_audible(job, now),
    }


def _last_audible(job: Job, now: float) -> str:
    if not job.news.audible_until:
        return "unknown"
    silent = max(0.0, now - job.news.audible_until)
    return f"{silent:.1f} s ago, as it told {now - job.told_at:.1f} s ago"

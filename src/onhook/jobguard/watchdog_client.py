"""What a guarded job tells the watchdog, and how it proves that it lives."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from collections.abc import Callable

from livekit.agents import JobContext, JobExecutorType

from onhook.incident import Mode as GuardMode
from onhook.livekit import Credentials
from onhook.livekit.proof import ALIVE_METHOD
from onhook.policy import Policy
from onhook.rescue.events import Sink
from onhook.tasks import end
from onhook.watchdog import Link, Mode
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Beat, Hello

__all__ = ["WatchdogClient"]

logger = logging.getLogger("onhook")


class WatchdogClient:
    """A job's hold on the watchdog.

    Args:
        ctx: The job.
        policy: What the watchdog is to do in the job's place.
        news: Returns what the agent does, as its beats tell it.
        mode: Whether the watchdog acts in its place, or only records.
    """

    def __init__(
        self,
        ctx: JobContext,
        policy: Policy,
        news: Callable[[], Beat],
        mode: GuardMode = "act",
    ) -> None:
        self._ctx = ctx
        self._policy = policy
        self._news = news
        self._mode = mode
        self._link: Link | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def start(self, agent: str) -> Sink:
        """Take hold; returns at once, with the sink that tells the watchdog of each rescue.

        Args:
            agent: The agent's identity.
        """
        mode: Mode = self._policy.watchdog
        if mode != "off" and self._ctx.proc.executor_type is JobExecutorType.THREAD:
            logger.warning(
                "ring 2 is off for jobs in threads: a crash, a kill or a blocked event loop takes "
                "all of them, and nobody rescues their callers. Use JobExecutorType.PROCESS"
            )
            mode = "off"
        hello = Hello(
            self._ctx.job.room.name,
            self._ctx.job.id,
            agent,
            _worker(),
            JobPolicy.of(self._policy),
            self._mode,
        )
        self._link = link = Link(hello, Credentials.from_env(), mode=mode, news=self._news)
        await link.start()
        return link

    @property
    def covered(self) -> bool:
        """Whether a watchdog has promised to rescue this call."""
        return self._link is not None and self._link.covered

    def answer_for_life(self) -> None:
        """Answer the watchdog through the room for as long as the event loop runs."""
        if self._ctx.room.isconnected():
            me = self._ctx.room.local_participant
            me.register_rpc_method(ALIVE_METHOD, lambda _: "alive")
        if self._link is not None:
            self._link.up()

    def release(self, reason: str) -> None:
        """Let go because the agent leaves on purpose; safe to repeat."""
        if self._link is not None:
            leaving = self._let_go(reason, released=True)
            self._leaving = asyncio.create_task(leaving, name="onhook-let-go")

    async def leave(self, reason: str, *, rescued: bool = True) -> None:
        """Let go at the end of the job.

        Args:
            reason: The framework's word for it.
            rescued: Whether there is nothing left to do; else the watchdog takes the call over,
                as that of a job that has died.
        """
        await self._let_go(reason, rescued=rescued)
        if self._leaving is not None:
            await asyncio.wait({self._leaving})
            await end(self._leaving)

    async def _let_go(self, reason: str, *, rescued: bool = True, released: bool = False) -> None:
        link, self._link = self._link, None
        if link is not None:
            if rescued:
                await link.bye(reason, released=released)
            await link.aclose()


def _worker() -> int:
    """Return the worker's process id; under forkserver our parent is the fork server."""
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid

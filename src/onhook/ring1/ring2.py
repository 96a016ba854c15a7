"""What a guarded job tells the watchdog, and how it proves that it lives."""

from __future__ import annotations

import logging
import multiprocessing
import os

from livekit.agents import JobContext, JobExecutorType

from onhook.livekit import Credentials
from onhook.livekit.proof import ALIVE_METHOD
from onhook.policy import Policy
from onhook.watchdog import Link, Mode
from onhook.watchdog.messages import Hello
from onhook.watchdog.version import our_version

__all__ = ["answer_for_life", "link_of"]

logger = logging.getLogger("onhook")


def link_of(ctx: JobContext, policy: Policy, agent: str) -> Link:
    """Make the link by which a job holds on to the watchdog; it is not started yet.

    Args:
        ctx: The job.
        policy: What the watchdog is to do in the job's place.
        agent: The agent's identity.
    """
    mode: Mode = policy.watchdog
    if mode != "off" and ctx.proc.executor_type is JobExecutorType.THREAD:
        logger.warning(
            "ring 2 is off for jobs in threads: a crash, a kill or a blocked event loop takes all "
            "of them, and nobody rescues their callers. Use JobExecutorType.PROCESS"
        )
        mode = "off"
    hello = Hello(
        ctx.job.room.name,
        ctx.job.id,
        agent,
        Credentials.from_env().url,
        _worker(),
        our_version(),
        policy,
    )
    return Link(hello, mode=mode)


def _worker() -> int:
    """Return the worker's process id; under forkserver our parent is the fork server."""
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid


def answer_for_life(ctx: JobContext) -> None:
    """Answer through the room for as long as the event loop runs."""
    if ctx.room.isconnected():
        ctx.room.local_participant.register_rpc_method(ALIVE_METHOD, lambda _: "alive")

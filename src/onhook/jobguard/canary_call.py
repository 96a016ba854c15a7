"""A sentinel's canary: a job that only asks whether its agent takes calls, and is answered here."""

from __future__ import annotations

import asyncio
import logging

from livekit.agents import AutoSubscribe, JobContext

from onhook.livekit.attribute_names import GUARD
from onhook.livekit.framework.job_attributes import attributes_of
from onhook.livekit.room_changes import Changes
from onhook.takeover import CANARY, CANARY_ROOM
from onhook.version import VERSION

__all__ = ["answer_canary", "is_canary"]

logger = logging.getLogger("onhook")

_CONNECT = 10.0
"""Seconds for joining the room, and for telling that a guard did."""
_STAY = 15.0
"""Seconds in the room at the most: the sentinel deletes it as soon as it has seen us."""


def is_canary(ctx: JobContext) -> bool:
    """Return whether a job is a canary: both its dispatch and its room must say so.

    Args:
        ctx: The job.
    """
    named = ctx.job.room.name.startswith(CANARY_ROOM)
    return named and CANARY in attributes_of(ctx.job)


async def answer_canary(ctx: JobContext) -> None:
    """Be seen in the room in the agent's place, and end the job; nothing of the agent's runs.

    The room is joined because an assignment tells only that the worker took the job, and not that a
    process ran it.

    Args:
        ctx: The job.
    """
    try:
        async with asyncio.timeout(_CONNECT):
            await ctx.connect(auto_subscribe=AutoSubscribe.SUBSCRIBE_NONE)
            await ctx.room.local_participant.set_attributes({GUARD: VERSION})
        logger.info("answered the canary in %s: this agent takes calls", ctx.job.room.name)
        async with asyncio.timeout(_STAY):
            with Changes(ctx.room) as changes:
                while ctx.room.isconnected():
                    await changes.wait(None)
    except TimeoutError:
        logger.info("the canary in %s was left: nobody has ended it", ctx.job.room.name)
    except Exception as error:  # noqa: BLE001 - rtc raises bare ones; the sentinel sees that nobody came
        logger.warning("the canary in %s could not be answered: %r", ctx.job.room.name, error)
    finally:
        ctx.shutdown("the canary was answered")

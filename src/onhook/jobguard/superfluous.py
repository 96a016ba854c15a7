"""An agent that comes when another of its name has the caller already leaves without a trace.

LiveKit delivers some jobs 6 to 16 s late (agents-js#1211, livekit#4374), when a sentinel has sent a
second dispatch long since: then two agents of one name would talk to one caller. Only of two
dispatches of which one is marked as the repetition of the other one leaves; whatever else brings
two agents into a room is meant so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from livekit.agents import JobContext
from livekit.protocol.models import ParticipantInfo

from onhook.call import LegKind
from onhook.line import Dispatch
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import GUARD, RELEASED, RESCUE, agent_name_of
from onhook.livekit.credentials import WITHDRAWN, Credentials
from onhook.livekit.framework.job_attributes import attributes_of
from onhook.livekit.framework.job_internals import agent_identity
from onhook.livekit.picture import from_listing, leg_from_listing
from onhook.takeover import SECOND_DISPATCH, incident_of

__all__ = ["is_superfluous", "rival"]

logger = logging.getLogger("onhook")

_DEADLINE = 1.0
"""Seconds that a job which may be superfluous waits to know; then it runs."""
_LATE = 2.0
"""Seconds from its room's beginning after which a job may have been repeated: a sentinel does that
after 2.5 s. A clock that is wrong costs a request, or a check."""


async def is_superfluous(
    ctx: JobContext,
    *,
    open_api: Callable[[], ServerApi] | None = None,
    wall: Callable[[], float] = time.time,
) -> bool:
    """Return whether another agent serves this job's caller; then the job is to end unseen.

    A job that comes in time asks nothing and waits for nothing. In doubt it is not superfluous.

    Args:
        ctx: The job, which has not joined its room yet.
        open_api: Opens the server's API.
        wall: Seconds since 1970.
    """
    try:
        if not _may_be(ctx, wall()):
            return False
        async with asyncio.timeout(_DEADLINE), (open_api or _api)() as api:
            other = await _rival(ctx, api)
    except Exception as error:  # noqa: BLE001 - whatever it was: the agent runs
        logger.info(
            "could not see whether another agent has the caller, so this one runs: %r", error
        )
        return False
    if other:
        logger.info(
            "agent.superfluous: %r of the same agent name has the caller in %s, and this job was "
            "dispatched for the same call: it leaves without a word",
            *(other, ctx.job.room.name),
        )
    return bool(other)


def rival(mine: str, name: str, here: Sequence[ParticipantInfo], sent: Sequence[Dispatch]) -> str:
    """Return which agent in a room came by the repetition of a dispatch, or by the repeated one.

    Args:
        mine: Id of the dispatch of a job that has not joined yet.
        name: The agent's name.
        here: Who is in the room.
        sent: The dispatches to the room.

    Returns:
        Its identity; empty where there is none.
    """
    own = next((d for d in sent if d.id == mine), None)
    if own is None or own.agent_name != name:
        return ""
    pair = [dispatch for dispatch in sent if _is_pair(own, dispatch)]
    theirs = {agent for dispatch in pair for agent in dispatch.agents}
    if any(not dispatch.agents for dispatch in pair):
        # the server lists a job up to 5 s after a worker has taken it (`agent/client.go`,
        # CheckEnabledTimeout): who came by none of the others came by that one
        others = {agent for d in sent if d not in pair for agent in d.agents}
        theirs |= {p.identity for p in here} - others
    return next((p.identity for p in here if p.identity in theirs and _serves(p, name)), "")


def _is_pair(one: Dispatch, other: Dispatch) -> bool:
    """Return whether one of two dispatches is marked as the repetition of the other."""
    first, second = sorted((one, other), key=lambda dispatch: dispatch.created_at)
    return (
        one.agent_name == other.agent_name
        and SECOND_DISPATCH in second.attributes
        and SECOND_DISPATCH not in first.attributes
    )


def _may_be(ctx: JobContext, now: float) -> bool:
    job = ctx.job
    if not job.agent_name or not job.dispatch_id or incident_of(ctx) is not None:
        return False
    began = job.room.creation_time_ms / 1000 or float(job.room.creation_time)
    return SECOND_DISPATCH in attributes_of(job) or (began > 0 and now - began >= _LATE)


async def _rival(ctx: JobContext, api: ServerApi) -> str:
    room, name = ctx.job.room.name, ctx.job.agent_name
    me = agent_identity(ctx)
    here = [p for p in await api.participants(room) if p.identity != me]
    if not from_listing(room, here).callers or not any(_serves(p, name) for p in here):
        return ""
    return rival(ctx.job.dispatch_id, name, here, await api.dispatches(room))


def _serves(participant: ParticipantInfo, name: str) -> bool:
    """Return whether an agent of that name answers for its caller: it is heard, or guarded."""
    leg, told = leg_from_listing(participant), participant.attributes
    if leg.kind is not LegKind.AGENT or agent_name_of(told) != name:
        return False
    gives_up = any(told.get(mark) for mark in (WITHDRAWN, RELEASED, RESCUE))
    return not gives_up and (leg.audible or bool(told.get(GUARD)))


def _api() -> ServerApi:
    return ServerApi(Credentials.from_env(), timeout=_DEADLINE)

"""What a job and its server keep to themselves."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import traceback
from typing import Any

from livekit.agents import AgentServer, AgentSession, JobContext

from onhook.livekit.framework.versions import tell_once

__all__ = [
    "agent_identity",
    "came_through_start",
    "is_by_parent",
    "is_by_worker",
    "primary_session",
    "serves",
    "shutdown_reason",
]

_BY_PARENT = "parent process shutdown"
_BY_WORKER = (_BY_PARENT, "room disconnected", "job crashed")
"""Shutdown reasons that livekit-agents gives by itself (`ipc/job_proc_lazy_main.py`)."""


def shutdown_reason(ctx: JobContext) -> str | None:
    """Return why a job is shutting down, from the first moment on; `None` while it is not.

    No public hook fires before the session has been closed, which may take a minute. The job's
    process resolves `_shutdown_fut` for every cause (`ipc/job_proc_lazy_main.py`); the context's
    `_on_shutdown` is a closure over that process.

    Args:
        ctx: The job.
    """
    cells = getattr(getattr(ctx, "_on_shutdown", None), "__closure__", None) or ()
    for cell in cells:
        try:
            future = getattr(cell.cell_contents, "_shutdown_fut", None)
        except ValueError:  # an empty cell
            continue
        if isinstance(future, asyncio.Future):
            if not future.done() or future.cancelled():
                return None
            ended = future.result()
            reason = str(getattr(ended, "reason", ""))
            told = getattr(ended, "user_initiated", True)
            return reason if reason or told else _BY_PARENT  # 1.5.0 gives no reason
    tell_once(
        "JobContext._on_shutdown over a _shutdown_fut",
        "the end of a job is noticed only when its session has closed",
    )
    return None


def agent_identity(ctx: JobContext) -> str:
    """Return the identity of a job's agent, also before it is in the room.

    `JobContext.local_participant_identity` verifies the signature of the job's token each time,
    which takes 3 ms; the token is the framework's own, and is read here as it is.

    Args:
        ctx: The job.
    """
    try:
        payload = ctx._info.token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(f"{payload}=="))["sub"])
    except (AttributeError, LookupError, TypeError, ValueError):
        tell_once("JobContext._info.token", "the agent's identity takes 3 ms to learn")
        return ctx.local_participant_identity


def is_by_worker(reason: str) -> bool:
    """Return whether a job's shutdown was the worker's doing, and not the agent's own.

    Args:
        reason: What a shutdown callback was given.
    """
    return reason in _BY_WORKER


def is_by_parent(reason: str | None) -> bool:
    """Return whether a worker that ends has told its job to end: the agent is in its room still.

    Args:
        reason: Why the job is shutting down; `None` while it is not.
    """
    return reason == _BY_PARENT


def primary_session(ctx: JobContext) -> AgentSession[Any] | None:
    """Return the job's own session, from the moment in which its `start()` has begun.

    Args:
        ctx: The job.
    """
    try:
        return ctx.primary_session
    except RuntimeError:  # no session was started
        return None
    except AttributeError:
        tell_once("JobContext.primary_session", "only sessions given to onhook.watch are followed")
        return None


def came_through_start(error: BaseException) -> bool:
    """Return whether an exception left `AgentSession.start()`.

    Args:
        error: It, with its traceback.
    """
    code = getattr(inspect.unwrap(AgentSession.start), "__code__", None)
    return any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))


def serves(server: AgentServer, entrypoint: object) -> bool:
    """Return whether a server was given an entrypoint; no public way tells what it has.

    Args:
        server: A server.
        entrypoint: What it may have been given.
    """
    if not hasattr(server, "_entrypoint_fnc"):
        tell_once("AgentServer._entrypoint_fnc", "@onhook.guard above @rtc_session is not refused")
    return getattr(server, "_entrypoint_fnc", None) is entrypoint

"""Undocumented details of livekit-agents and livekit-api that we lean on: a function each.

None ever raises. Read from livekit-agents 1.8.9 and livekit-api 1.2.2;
`tests/livekit/test_framework.py` says what breaks when one changes.
"""

from __future__ import annotations

import asyncio
from types import FrameType
from typing import Any

import aiohttp
from livekit import api
from livekit.agents import AgentSession, JobContext
from livekit.api import twirp_client

__all__ = ["is_answered", "is_closing", "shutdown_reason", "transfer_asked"]

_REQUEST: Any = getattr(getattr(twirp_client, "TwirpClient", None), "request", None)


def is_closing(session: AgentSession[Any]) -> bool:
    """Return whether a session has begun to close; its `close` event may come much later.

    `shutdown()` sets `_closing_task` at once, `aclose()` sets `_closing` (`voice/agent_session.py`,
    `_is_closing`). Without them only the `close` event tells.

    Args:
        session: A session.
    """
    task = getattr(session, "_closing_task", None)
    return task is not None or bool(getattr(session, "_closing", False))


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
        if isinstance(future, asyncio.Future) and future.done() and not future.cancelled():
            return str(getattr(future.result(), "reason", ""))
    return None


def transfer_asked(frame: FrameType) -> api.TransferSIPParticipantRequest | None:
    """Return what a frame asks for, where it is a client's request to transfer a phone's leg.

    Every service of every `LiveKitAPI` sends by `TwirpClient.request(service, method, data, ...)`.

    Args:
        frame: The frame of a coroutine.
    """
    if frame.f_code is not getattr(_REQUEST, "__code__", None):
        return None
    asked = frame.f_locals.get("data")
    return asked if isinstance(asked, api.TransferSIPParticipantRequest) else None


def is_answered(frame: FrameType) -> bool:
    """Return whether a client's request got an answer, good or bad; never sure is taken for one.

    A frame that is held keeps its variables when its coroutine ends (CPython), and the response
    is one of them; a request that was given up or cancelled has none.

    Args:
        frame: A frame of which `transfer_asked` returned something.
    """
    kept = frame.f_locals
    return "data" not in kept or any(isinstance(v, aiohttp.ClientResponse) for v in kept.values())

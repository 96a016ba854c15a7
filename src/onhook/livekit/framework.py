"""Undocumented details of livekit-agents that we lean on: a function each, and none ever raises.

Read from livekit-agents 1.8.9; `tests/livekit/test_framework.py` says what breaks when one changes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import AgentSession, JobContext

__all__ = ["is_closing", "shutdown_reason"]


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

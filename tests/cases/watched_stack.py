"""The servers of the cases, with a sentinel at its defaults beside them where that is asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cases.layout import Stack
from tests.sentinel.line.sentinels import free_port, sentinel

__all__ = ["WATCHED", "watched_stack"]

WATCHED = os.environ.get("CASES_SENTINEL", "") not in ("", "0")


@contextlib.asynccontextmanager
async def watched_stack(folder: Path) -> AsyncIterator[tuple[Stack, tuple[Path, ...]]]:
    """Run the servers until the context is left.

    Args:
        folder: For their files.

    Yields:
        The servers, and the journals of whoever watches them beside the workers.
    """
    port = free_port()
    hooks = [f"http://127.0.0.1:{port}/webhook"] if WATCHED else []
    async with contextlib.AsyncExitStack() as closing:
        stack = await closing.enter_async_context(
            Stack(folder=folder, ringing=60.0, webhooks=hooks)
        )
        if not WATCHED:
            yield stack, ()
            return
        beside = await closing.enter_async_context(sentinel(stack, folder / "sentinel", port))
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("ONHOOK_SENTINEL", f"http://127.0.0.1:{port}")
        yield stack, (beside.path,)

"""Where a task waits now: the coroutines it is in, outermost first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

__all__ = ["frames_of", "is_running", "waits_in"]


def frames_of(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frame of each coroutine through which a task waits (`coroutine.cr_await`).

    Args:
        task: Any task; one that is done waits nowhere.
    """
    waiting: Any = task.get_coro()
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        yield frame
        waiting = waiting.cr_await


def waits_in(task: asyncio.Task[Any]) -> Iterator[CodeType]:
    """Yield the code of each coroutine through which a task waits.

    Args:
        task: Any task.
    """
    return (frame.f_code for frame in frames_of(task))


def is_running(method: Callable[..., Any]) -> bool:
    """Return whether any task of this event loop is inside a coroutine method now.

    Args:
        method: A method or function; what has no code of its own is never running.
    """
    code = getattr(method, "__code__", None)
    return code is not None and any(code in waits_in(task) for task in asyncio.all_tasks())

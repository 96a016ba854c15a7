"""Threads of our own: those of the event loop may all be held by the agent's code."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")

_THREADS = 4

_pool: tuple[int, ThreadPoolExecutor] | None = None
"""The pool, and the process that it belongs to: the threads of a pool do not survive a fork."""


async def in_thread(function: Callable[..., T], *args: object) -> T:
    """Run a blocking function, which is to be short, in a thread.

    Args:
        function: The function.
        args: Its arguments.

    Raises:
        Exception: What the function raises.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor(), functools.partial(function, *args))


def _executor() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603 - one small pool for one process is the point
    if _pool is None or _pool[0] != os.getpid():
        _pool = os.getpid(), ThreadPoolExecutor(_THREADS, thread_name_prefix="onhook")
    return _pool[1]

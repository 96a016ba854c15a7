"""Work beside the watch: each piece once, only so many at a time, and none without an owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from onhook.tasks import end

__all__ = ["TaskPool"]

logger = logging.getLogger("onhook")


class TaskPool:
    """Runs pieces of work that are known by a key.

    Args:
        most: How many run at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: object) -> bool:
        return key in self._tasks

    @property
    def full(self) -> bool:
        """Whether no more are begun now."""
        return len(self._tasks) >= self._most

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin a piece of work, unless it is under way or there are too many.

        What it raises is logged.

        Args:
            key: What it is known by.
            work: Makes it.
        """
        if key in self._tasks or self.full:
            return False
        task = asyncio.create_task(work(), name=f"onhook-{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda ended: self._ended(key, ended))
        return True

    async def aclose(self, seconds: float = 0.0) -> None:
        """Wait for what is under way for some seconds; then cancel it, and wait for its end.

        Args:
            seconds: How long it may finish by itself.
        """
        tasks = tuple(self._tasks.values())
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        await end(*(task for task in tasks if not task.done()))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s has failed: %r", task.get_name(), error, exc_info=error)

"""The end of tasks of our own: nothing that they raise is lost."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

__all__ = ["end"]

logger = logging.getLogger("onhook")


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, wait for them, and log what went wrong in them.

    Args:
        tasks: Ours; each ends soon after a cancellation.
    """
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            logger.error("a task of onhook's has failed", exc_info=ended)

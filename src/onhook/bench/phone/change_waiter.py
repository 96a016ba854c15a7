"""Waiting for something to change, with a deadline."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import TypeVar

from onhook.bench.phone.phone_errors import CallTimeoutError

__all__ = ["Change"]

T = TypeVar("T")


class Change:
    """Wakes everybody who waits for a change."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Say that something has changed."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def wait(self, deadline: float, message: str, wake: float = math.inf) -> None:
        """Return at the next change, or after `wake` seconds.

        Args:
            deadline: When to give up, on the monotonic clock.
            message: What to say then.
            wake: When to return without a change.

        Raises:
            CallTimeoutError: The deadline has passed.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise CallTimeoutError(message)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=min(left, wake))
        finally:
            self._waiting.discard(waiter)

    async def until(self, look: Callable[[], T | None], timeout: float, message: str) -> T:
        """Return what `look` sees, as soon as that is something.

        Raises:
            CallTimeoutError: It saw nothing within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while (seen := look()) is None:
            await self.wait(deadline, message)
        return seen

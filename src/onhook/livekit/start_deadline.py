"""How long words may take until they are on the line, with a quick server and with a slow one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from onhook.errors import ApiError
from onhook.tasks import end

__all__ = ["StartDeadline"]

_SLOWER = 3
"""Times the usual seconds that a server gets which is slow in all that it does."""
_SLOW = 0.5
"""Seconds for a request from which on a server is slow."""


class StartDeadline:
    """The end of the time until words must be on the line; its clock runs from now.

    What takes longer than `seconds` while the server answers a request at once has failed: the
    rungs below are not kept waiting. A server that answers nothing, or slowly, gets more in all,
    because the release would have to wait for it just as long, and the caller would hear nothing.

    Args:
        seconds: For each step.
        ask: Sends a request to the server.
    """

    def __init__(self, seconds: float, ask: Callable[[], Awaitable[object]]) -> None:
        self._seconds = seconds
        self._ask = ask
        self._last = asyncio.get_running_loop().time() + _SLOWER * seconds

    @contextlib.asynccontextmanager
    async def step(self) -> AsyncIterator[None]:
        """Limit what is awaited inside.

        Raises:
            TimeoutError: It took too long.
        """
        async with asyncio.timeout_at(self._last) as limit:
            looking = asyncio.create_task(self._end_where_quick(limit), name="onhook-slow-server")
            try:
                yield
            finally:
                await end(looking)

    async def _end_where_quick(self, limit: asyncio.Timeout) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._seconds)
        asked = clock()
        try:
            await self._ask()
        except ApiError as error:
            if error.code == "timeout":
                return
        if clock() - asked < _SLOW:
            limit.reschedule(clock())

"""How many callers are attended to at once; who has waited longest comes first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator

from onhook.errors import OnhookError

__all__ = ["Slots"]


class Slots:
    """So many at once; the others wait a little, and then go on without.

    Args:
        count: How many.
        patience: Seconds that somebody may wait for a slot.
        without: What whoever gets none goes on without, for the message: `"not said"`.
    """

    def __init__(self, count: int, *, patience: float = 0.1, without: str = "not said") -> None:
        self._free = count
        self._patience = patience
        self._without = without
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return self._free

    @contextlib.asynccontextmanager
    async def taken(self, since: float = 0.0) -> AsyncIterator[None]:
        """Have a slot.

        Args:
            since: Since when the caller hears nothing; the smallest comes first.

        Raises:
            OnhookError: There is none in time: the next rung is better than waiting.
        """
        await self._take(since)
        try:
            yield
        finally:
            self._give()

    async def _take(self, since: float) -> None:
        if self._free > 0:
            self._free -= 1
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (since, next(self._order), given))
        try:
            async with asyncio.timeout(self._patience):
                await given
        except BaseException as error:
            if given.done() and not given.cancelled():  # given in the very moment of the giving up
                self._give()
            if isinstance(error, TimeoutError):
                raise OnhookError(
                    f"{self._without}: as many callers are attended to already as may be at once"
                ) from None
            raise

    def _give(self) -> None:
        while self._waiting:
            _, _, given = heapq.heappop(self._waiting)
            if not given.done():
                given.set_result(None)
                return
        self._free += 1

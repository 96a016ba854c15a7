"""Further attempts at an entrypoint that failed before its session had started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from livekit import rtc

from onhook.errors import OnhookError
from onhook.jobguard.detectors.first_audio import somebody_speaks
from onhook.livekit.picture import from_room
from onhook.livekit.room_changes import Changes

__all__ = ["Attempts"]

logger = logging.getLogger("onhook")

_ENDING = 0.2
"""Seconds that an attempt gets for its own clean-up: the next rung waits for it."""
_MOST = 3
"""Attempts that may come up in one job: an entrypoint that keeps failing later is no recovery."""


class Attempts:
    """Runs an entrypoint again, for `onhook.rungs.Retry`.

    Args:
        run: Runs it.
        room: The job's room.
        session: Returns the job's session, or `None` where none had started.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        run: Callable[[], Coroutine[None, None, None]],
        room: rtc.Room,
        session: Callable[[], object | None],
        clock: Callable[[], float],
    ) -> None:
        self._run = run
        self._room = room
        self._session = session
        self._clock = clock
        self._attempt: asyncio.Task[None] | None = None
        self._came_up = 0
        self._over = ""
        self._left_behind: set[asyncio.Task[None]] = set()

    @property
    def recovered(self) -> bool:
        """Whether an attempt has come up that nobody waits for yet."""
        return self._attempt is not None

    def take(self) -> asyncio.Task[None]:
        """Return the attempt that has come up; the taker waits for it from now on.

        Raises:
            OnhookError: There is none.
        """
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            raise OnhookError("no further attempt at the entrypoint has come up")
        return attempt

    def close(self, why: str) -> None:
        """Allow no further attempt: there would be nobody to wait for it.

        Args:
            why: What became of the entrypoint, such as `"has returned"`.
        """
        self._over = why

    async def again(self) -> str:
        """See `onhook.line.Line.retry`."""
        if self._over:
            raise OnhookError(f"the entrypoint {self._over}: it is not run again")
        if self._session() is not None:
            raise OnhookError("a session had started: running the entrypoint again makes a second")
        if self._came_up >= _MOST:
            raise OnhookError(f"the entrypoint came up {_MOST} times and failed each time")
        began = self._clock()
        attempt = asyncio.create_task(self._run(), name="onhook-retry")
        try:
            await self._audible(attempt)
        except BaseException:
            await self._give_up(attempt)
            raise
        self._came_up += 1
        self._attempt = attempt
        return f"the entrypoint came up in {self._clock() - began:.1f} s"

    async def _give_up(self, attempt: asyncio.Task[None]) -> None:
        """Cancel an attempt; one that ignores it is left behind, and does not hold the caller."""
        attempt.cancel()
        attempt.add_done_callback(_ended)
        self._left_behind.add(attempt)
        attempt.add_done_callback(self._left_behind.discard)
        await asyncio.wait({attempt}, timeout=_ENDING)
        if not attempt.done():
            logger.warning("an attempt at the entrypoint ignores its cancellation, and is left")

    async def _audible(self, attempt: asyncio.Task[Any]) -> None:
        with Changes(self._room) as changes:
            attempt.add_done_callback(changes.wake)
            while not (self._room.isconnected() and somebody_speaks(from_room(self._room))):
                if attempt.done():
                    attempt.result()
                    raise OnhookError("the entrypoint returned and published no audio")
                await changes.wait(None)


def _ended(attempt: asyncio.Task[None]) -> None:
    if not attempt.cancelled() and (error := attempt.exception()) is not None:
        logger.info("an attempt at the entrypoint that did not come up ended with %r", error)

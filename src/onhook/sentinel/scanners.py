"""Calls that came in by no trunk: never a word, which would answer them. Only removed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.sentinel.call_view import CallView
from onhook.sentinel.seen_calls import SeenCalls
from onhook.sentinel.task_pool import TaskPool

__all__ = ["ScannerLine", "Scanners"]

logger = logging.getLogger("onhook")

_DEADLINE = 5.0
_AT_ONCE = 4
_BURST, _PER_MINUTE = 20.0, 60.0
"""Removals: a flood of scanners does not take the API away from callers; the others ring out."""
_QUIET = 60.0
"""Seconds between two lines in the log."""


class ScannerLine(Protocol):
    """What is needed of a call's line; see `onhook.line.Line`."""

    async def picture(self) -> Call:
        """Return who is on the call."""

    async def remove(self, identity: str) -> None:
        """Remove one participant."""


class Scanners:
    """Removes them silently, and counts them apart from incidents.

    Args:
        line: Opens the line of a call: room name, and since when its caller waits.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        line: Callable[[str, float], AbstractAsyncContextManager[ScannerLine]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._clock = clock
        self._pool = TaskPool(_AT_ONCE)
        self._seen = SeenCalls()
        self._tokens, self._at = _BURST, clock()
        self._told_at = float("-inf")
        self.removed = 0
        """How many were removed since the start."""

    async def aclose(self) -> None:
        """End what is under way."""
        await self._pool.aclose()

    def remove(self, view: CallView) -> None:
        """Remove a call, soon, once, and only if the server agrees that nobody has taken it.

        Args:
            view: The call.
        """
        if not self._pool.full and self._seen.add(view) and self._may():
            self._pool.start(view.room, partial(self._remove, view))

    async def _remove(self, view: CallView) -> None:
        try:
            async with (
                asyncio.timeout(_DEADLINE),
                self._line(view.room, view.first_seen) as line,
            ):
                call = await line.picture()
                if not (call.complete and call.ringing) or call.company or call.other_agents:
                    return
                for leg in call.callers:
                    await line.remove(leg.identity)
        except (OnhookError, TimeoutError) as error:
            logger.warning("room %s: a call by no trunk was not removed: %r", view.room, error)
            return
        self.removed += 1
        if (now := self._clock()) - self._told_at >= _QUIET:
            self._told_at = now
            logger.warning(
                "room %s: a call that came by no trunk was removed unanswered (%d so far): a "
                "dispatch rule without trunks lets scanners in",
                *(view.room, self.removed),
            )

    def _may(self) -> bool:
        now = self._clock()
        refill = (now - self._at) * _PER_MINUTE / 60
        self._tokens, self._at = min(self._tokens + refill, _BURST), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

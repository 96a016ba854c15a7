"""The longest that a call may last, from its answer on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit import rtc

from onhook.call import LineState
from onhook.livekit.picture import from_room
from onhook.livekit.room_changes import Changes
from onhook.validation import require_seconds

__all__ = ["CallLimit"]


class CallLimit:
    """Waits until a call has lasted too long.

    LiveKit caps inbound calls only (trunk `max_call_duration`); a limit given for an outbound call
    is not enforced after the answer (livekit-sip `pkg/sip`).

    Args:
        room: The job's room.
        seconds: The limit, or `None` for none until one is set.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, room: rtc.Room, seconds: float | None, clock: Callable[[], float]) -> None:
        self._room = room
        self._seconds = seconds
        self._until: float | None = None
        self._clock = clock
        self._set = asyncio.Event()

    @property
    def seconds(self) -> float | None:
        """The limit, if there is one."""
        return self._seconds

    def set(self, seconds: float) -> None:
        """Limit this call from now on, in the place of any limit before.

        Args:
            seconds: How long it may still last.

        Raises:
            PolicyError: That is no positive number.
        """
        require_seconds("dial", "max_call", seconds)
        self._seconds, self._until = seconds, self._clock() + seconds
        self._set.set()

    async def reached(self) -> float:
        """Wait until the call has lasted too long; return the limit."""
        await self._answered()
        if self._seconds is not None and self._until is None:
            self._until = self._clock() + self._seconds
        while self._until is None or self._until > self._clock():
            self._set.clear()
            left = None if self._until is None else self._until - self._clock()
            try:
                async with asyncio.timeout(left):
                    await self._set.wait()
            except TimeoutError:
                break
        return self._seconds or 0.0

    async def _answered(self) -> None:
        with Changes(self._room) as changes:
            while not self._room.isconnected() or not any(
                leg.line is LineState.ACTIVE for leg in from_room(self._room).callers
            ):
                await changes.wait(None)

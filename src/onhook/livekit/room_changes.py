"""Waiting for something to change in a room."""

from __future__ import annotations

import asyncio
from types import TracebackType

from livekit import rtc

__all__ = ["Changes"]


class Changes:
    """Wakes its waiter when who is in a room, or who can be heard in it, may have changed.

    Args:
        room: The room; `None` for one that cannot be seen from inside, where only time passes.
    """

    _EVENTS: tuple[rtc.room.EventTypes, ...] = (
        "connection_state_changed",
        "participant_connected",
        "participant_disconnected",
        "participant_attributes_changed",
        "local_track_published",
        "track_published",
        "track_unmuted",
        "track_subscribed",
    )

    def __init__(self, room: rtc.Room | None) -> None:
        self._room = room
        self._changed = asyncio.Event()

    def __enter__(self) -> Changes:
        if self._room is not None:
            for event in self._EVENTS:
                self._room.on(event, self.wake)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._room is not None:
            for event in self._EVENTS:
                self._room.off(event, self.wake)

    async def wait(self, seconds: float | None) -> None:
        """Return at the next change, or after some seconds, whichever is first."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    def wake(self, *_: object) -> None:
        """Say that something has changed."""
        self._changed.set()

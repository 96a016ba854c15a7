"""A line of a rescuer outside the job: only so many callers are spoken to at once."""

from __future__ import annotations

import asyncio
from typing import Any

from onhook.errors import OnhookError
from onhook.line import Announcement
from onhook.livekit.credentials import Credentials
from onhook.livekit.livekit_line import LiveKitLine

__all__ = ["BoundedLine"]

_MOMENT = 0.1
"""Seconds that a caller may wait for somebody else's announcement to end."""


class BoundedLine(LiveKitLine):
    """A `LiveKitLine` that speaks only when there is a slot.

    Args:
        credentials: Server and key.
        room: Room name.
        slots: As many as there may be announcements at once, for all lines together.
        more: See `LiveKitLine`.
    """

    def __init__(
        self, credentials: Credentials, room: str, *, slots: asyncio.Semaphore, **more: Any
    ) -> None:
        super().__init__(credentials, room, **more)
        self._slots = slots

    async def say(self, announcement: Announcement) -> str:
        """See `onhook.line.Line.say`.

        Raises:
            OnhookError: There is no slot: the next rung is better than waiting.
        """
        try:
            async with asyncio.timeout(_MOMENT):
                await self._slots.acquire()
        except TimeoutError:
            raise OnhookError(
                "not said: as many callers are spoken to already as may be at once"
            ) from None
        try:
            return await super().say(announcement)
        finally:
            self._slots.release()

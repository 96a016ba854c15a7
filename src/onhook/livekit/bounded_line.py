"""A line of a rescuer outside the job: only so many callers are attended to at once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from onhook.line import Announcement
from onhook.livekit.credentials import Credentials
from onhook.livekit.livekit_line import LiveKitLine
from onhook.livekit.slots import Slots

__all__ = ["BoundedLine"]


class BoundedLine(LiveKitLine):
    """A `LiveKitLine` that speaks, and sends other agents, only when there is a slot.

    Args:
        credentials: Server and key.
        room: Room name.
        words: As many as there may be announcements at once, for all lines together.
        dispatches: As many as there may be dispatches under way; as many as there are when
            omitted. A pool of workers that is dying is not made to die by them.
        since: Since when the caller hears nothing; the smallest comes first.
        more: See `LiveKitLine`.
    """

    def __init__(
        self,
        credentials: Credentials,
        room: str,
        *,
        words: Slots,
        dispatches: Slots | None = None,
        since: float = 0.0,
        **more: Any,
    ) -> None:
        super().__init__(credentials, room, **more)
        self._words = words
        self._dispatches = dispatches
        self._since = since

    async def say(self, announcement: Announcement) -> str:
        """See `onhook.line.Line.say`.

        Raises:
            OnhookError: There is no slot: the next rung is better than waiting.
        """
        async with self._words.taken(self._since):
            return await super().say(announcement)

    async def dispatch(
        self,
        agent_name: str,
        metadata: str,
        attributes: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """See `LiveKitLine.dispatch`.

        Raises:
            OnhookError: There is no slot: the next rung is better than waiting.
        """
        if self._dispatches is None:
            return await super().dispatch(agent_name, metadata, attributes)
        async with self._dispatches.taken(self._since):
            return await super().dispatch(agent_name, metadata, attributes)

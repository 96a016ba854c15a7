"""Is a caller waiting for a first word? A pure question, and the events that may change it."""

from __future__ import annotations

import asyncio
from types import TracebackType

from livekit import rtc

from onhook.types import Call, Direction, LegKind, LineState

__all__ = ["RoomChanges", "caller_waits", "somebody_speaks"]


def somebody_speaks(call: Call) -> bool:
    """Return whether a caller has anybody to listen to: a published track, or another caller."""
    others = any(leg.audible for leg in call.legs if leg.kind is not LegKind.CALLER)
    return others or len(call.callers) > 1


def caller_waits(call: Call) -> bool:
    """Return whether a caller listens to silence or ringback that only the agent can end.

    A callee who has not answered yet listens to nothing: outbound lines count from the answer.
    """
    if somebody_speaks(call):
        return False
    if call.direction is Direction.OUTBOUND:
        return any(leg.line is LineState.ACTIVE for leg in call.callers)
    return bool(call.callers)


class RoomChanges:
    """Wakes its waiter when who is in a room, or who can be heard in it, may have changed."""

    _EVENTS: tuple[rtc.room.EventTypes, ...] = (
        "connection_state_changed",
        "participant_connected",
        "participant_disconnected",
        "participant_attributes_changed",
        "local_track_published",
        "track_published",
        "track_unmuted",
    )

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._changed = asyncio.Event()

    def __enter__(self) -> RoomChanges:
        for event in self._EVENTS:
            self._room.on(event, self._wake)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for event in self._EVENTS:
            self._room.off(event, self._wake)

    async def wait(self, seconds: float | None) -> None:
        """Return at the next change, or after some seconds, whichever is first."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    def _wake(self, *_: object) -> None:
        self._changed.set()

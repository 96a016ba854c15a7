"""Which life of a room a sighting is about: names are used again, and old ones are told of late."""

from __future__ import annotations

from collections.abc import Callable

from onhook.sentinel.sightings import MemberSeen, RoomSeen
from onhook.sentinel.tombstones import Tombstone, Tombstones
from onhook.sentinel.tracked_call import TrackedCall

__all__ = ["RoomLives"]

_KEEP = 300.0


class RoomLives:
    """The calls that are there, one for each room name: a name has one life at a time.

    Args:
        ended: Told of a room whose life has ended, and how.
    """

    def __init__(self, ended: Callable[[TrackedCall, Tombstone], None]) -> None:
        self.calls: dict[str, TrackedCall] = {}
        self.asked: float | None = None
        """When the newest list of rooms was asked for."""
        self._over = Tombstones(keep=_KEEP)
        self._ended = ended

    def of_room(
        self, room: RoomSeen, now: float, *, asked: float | None = None
    ) -> TrackedCall | None:
        """Return the call in a room's life, begun where it is new; `None` where it is over.

        Args:
            room: The room.
            now: When it was seen.
            asked: When the list was asked for that has it; `None` for an event.
        """
        if self._over.forbids(room.sid, asked):
            return None
        call = self.calls.get(room.room)
        if call is None or call.sid in ("", room.sid):
            return self._begun(room.room, room.sid, now)
        if asked is None:
            return self._later(call, room.sid, room.created_at, now)
        if call.seen >= asked:
            return None  # it was seen after the list was made
        self.end(call.room, call.sid, Tombstone(asked, final=False), now)
        return self._begun(room.room, room.sid, now)

    def of_member(self, seen: MemberSeen, now: float) -> TrackedCall | None:
        """Return the call that somebody is in, begun where it is new; `None` where it is over.

        Args:
            seen: Who was seen, and where.
            now: When they were seen.
        """
        call, sid = self.calls.get(seen.room), seen.room_sid
        if sid and self._over.get(sid) is not None:
            return None
        if call is None or not sid or call.sid in ("", sid):
            return self._begun(seen.room, sid, now)
        return self._later(call, sid, seen.member.joined_at, now)

    def end(self, room: str, sid: str, end: Tombstone, now: float) -> None:
        """End a life of a room, whether it is known or not.

        Args:
            room: Room name.
            sid: The server's id of that life.
            end: How it ended.
            now: Seconds of the sentinel's clock.
        """
        if sid:
            self._over.add(sid, end, now)
        call = self.calls.get(room)
        if call is not None and call.sid == sid:
            del self.calls[room]
            self._ended(call, end)

    def _later(self, call: TrackedCall, sid: str, told: float, now: float) -> TrackedCall | None:
        """Return the call of another life of this name, if it is later than the known one.

        Args:
            call: The known one.
            sid: The server's id of the other life.
            told: A time in that other life, in seconds of the server's clock.
            now: Seconds of the sentinel's clock.
        """
        known = call.last_told
        if known and told <= known:
            # an old life, or a tie that the next list decides
            self._over.add(sid, Tombstone(now, final=False), now)
            call.relist = True
            return None
        self.end(call.room, call.sid, Tombstone(now, final=False), now)
        return self._begun(call.room, sid, now)

    def _begun(self, room: str, sid: str, now: float) -> TrackedCall:
        self._over.forget(sid)
        call = self.calls.get(room)
        if call is None:
            call = self.calls[room] = TrackedCall(room, sid, now, self.asked)
        call.sid = call.sid or sid
        return call

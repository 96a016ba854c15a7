"""What of the calls that have not ended must outlive a restart of the sentinel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from onhook.errors import OnhookError
from onhook.rescue.event_codec import from_json, to_json
from onhook.sentinel.call_legs import CallLeg
from onhook.sentinel.records.calls_file import CallsFile
from onhook.sentinel.sightings import Member, RescueSeen

__all__ = ["OpenCall", "OpenCalls"]

_EVENT_DAYS, _CALL_DAYS = 2.0, 8.0
"""Days after which events and calls are forgotten whose end was never seen; a call of livekit-sip
lasts 24 h at most (`max_call_duration`)."""
_DAY = 86_400.0
_ALIVE = ".alive"
"""Id of the row that tells until when a sentinel has run."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that was there.

    Args:
        id: Its id.
        room: Room name.
        room_sid: The server's id of the room's life.
        member: The caller's leg.
        began_at: When it began, in seconds since 1970.
        answered_at: When it was answered; `None` for not yet.
        heard_at: When somebody first published sound while it rang.
        agent_name: Name under which the agent's worker is registered.
        host: Id of the watchdog that answers for it.
        seen_at: Until when it is known to have been there.
    """

    id: str
    room: str
    room_sid: str
    member: Member
    began_at: float
    answered_at: float | None = None
    heard_at: float | None = None
    agent_name: str = ""
    host: str = ""
    seen_at: float = 0.0

    @classmethod
    def of(
        cls, leg: CallLeg, *, began_at: float, answered_at: float | None, now: float, offset: float
    ) -> OpenCall:
        """Return what is kept of a leg.

        Args:
            leg: It.
            began_at: When it began, in seconds since 1970.
            answered_at: When it was answered, likewise.
            now: Seconds since 1970.
            offset: What turns the sentinel's monotonic clock into seconds since 1970.
        """
        heard = leg.heard_while_ringing
        return cls(
            id=leg.id,
            room=leg.room,
            room_sid=leg.room_sid,
            member=leg.member,
            began_at=began_at,
            answered_at=answered_at,
            heard_at=None if heard is None else heard + offset,
            agent_name=leg.agent_name,
            host=leg.host,
            seen_at=now,
        )


class OpenCalls:
    """Keeps open calls and the events of their rescues; may be called from any thread.

    Args:
        path: The file of call records.
        wall: Seconds since 1970.

    Raises:
        JournalError: From every method: the file cannot be used.
    """

    def __init__(self, path: Path, *, wall: Callable[[], float] = time.time) -> None:
        self._file = CallsFile(path)
        self._wall = wall

    def keep(self, calls: Iterable[OpenCall], events: Iterable[RescueSeen]) -> None:
        """Keep calls that are there, events of rescues, and that this sentinel runs."""
        rows = [(c.id, c.room, c.seen_at, _ENCODER.encode(c)) for c in calls]
        told = [(e.room, e.event.wall, _ENCODER.encode(e)) for e in events]
        now = self._wall()
        with self._file.use() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany("INSERT OR REPLACE INTO open_call VALUES (?, ?, ?, ?)", rows)
                db.executemany(
                    "INSERT OR IGNORE INTO rescue_event (room, wall, body) VALUES (?, ?, ?)", told
                )
                alive = (_ALIVE, "", now, b"")
                db.execute("INSERT OR REPLACE INTO open_call VALUES (?, ?, ?, ?)", alive)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def ended(self, call: str) -> None:
        """Forget a call whose record is kept.

        Args:
            call: Its id.
        """
        with self._file.use() as db:
            db.execute("DELETE FROM open_call WHERE id = ?", (call,))

    def prune(self) -> None:
        """Forget what is too old."""
        now = self._wall()
        with self._file.use() as db:
            oldest = now - _EVENT_DAYS * _DAY
            db.execute("DELETE FROM rescue_event WHERE wall < ?", (oldest,))
            oldest = now - _CALL_DAYS * _DAY
            db.execute("DELETE FROM open_call WHERE seen_at < ? AND id != ?", (oldest, _ALIVE))

    def load(self) -> tuple[Sequence[OpenCall], Sequence[RescueSeen]]:
        """Return the calls that were there when a sentinel last ran, and the events of rescues.

        Each call bears in `seen_at` until when one has run.
        """
        with self._file.use(reading=True) as db:
            if db is None:
                return (), ()
            rows = db.execute("SELECT id, seen_at, body FROM open_call").fetchall()
            bodies = db.execute("SELECT body FROM rescue_event ORDER BY number").fetchall()
        alive = max((row[1] for row in rows if row[0] == _ALIVE), default=0.0)
        calls = [
            replace(call, seen_at=max(call.seen_at, alive))
            for name, _, body in rows
            if name != _ALIVE and (call := _read(_CALLS, body)) is not None
        ]
        return calls, [event for (body,) in bodies if (event := _read(_EVENTS, body)) is not None]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


_T = TypeVar("_T")


def _read(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T | None:
    """Return what was kept; `None` where another version of onhook has kept it."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, OnhookError, ValueError, TypeError):
        return None


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else to_json(value)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
_CALLS = msgspec.json.Decoder(OpenCall)
_EVENTS = msgspec.json.Decoder(RescueSeen, dec_hook=from_json)

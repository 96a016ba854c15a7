"""What has ended, remembered for as long as a late word of it may still come."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tombstone", "Tombstones"]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The end of a room's life or of a participant's stay.

    Args:
        at: When it was learned, in seconds of the sentinel's clock; for what a list did not show
            any more, when that list was asked for.
        final: Whether the server has said so itself: then no list brings it back, since that was
            made before. What was only missing from a list may be in a newer one.
        reason: The server's word for why; empty where none was given.
    """

    at: float
    final: bool
    reason: str = ""


class Tombstones:
    """A bounded memory of ends, by the server's ids, which are never used twice.

    Args:
        keep: Seconds; livekit-server drops an event that is 30 s late, and a client of its own
            queue may hold it for as long again.
        most: How many; the oldest goes first.
    """

    def __init__(self, *, keep: float = 120.0, most: int = 50_000) -> None:
        self._keep = keep
        self._most = most
        self._ends: dict[str, Tombstone] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def get(self, sid: str) -> Tombstone | None:
        """Return the end of what has this id, if it is known to have ended."""
        return self._ends.get(sid)

    def add(self, sid: str, end: Tombstone, now: float) -> None:
        """Remember an end. The first word stays, except that a final one replaces a guess.

        Args:
            sid: The server's id.
            end: Its end.
            now: Seconds of the sentinel's clock.
        """
        known = self._ends.get(sid)
        if known is not None and (known.final or not end.final):
            return
        self._ends.pop(sid, None)
        self._ends[sid] = end
        self._prune(now)

    def forget(self, sid: str) -> None:
        """Take back an end: a newer list shows what was thought gone."""
        self._ends.pop(sid, None)

    def forbids(self, sid: str, asked: float | None) -> bool:
        """Return whether a word of something is a late one.

        Args:
            sid: The server's id.
            asked: When the list that shows it was asked for; `None` for an event.
        """
        end = self._ends.get(sid)
        if end is None:
            return False
        return end.final or asked is None or asked <= end.at

    def _prune(self, now: float) -> None:
        while self._ends:
            sid, end = next(iter(self._ends.items()))
            if len(self._ends) <= self._most and now - end.at <= self._keep:
                return
            del self._ends[sid]

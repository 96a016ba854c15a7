"""A journal in memory, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from onhook.errors import PolicyError
from onhook.rescue.events import RescueEvent
from onhook.sinks.journal.entries import Entry

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """Keeps the newest entries of this process.

    Args:
        limit: How many.

    Raises:
        PolicyError: The limit is less than 1.
    """

    def __init__(self, limit: int = 10_000) -> None:
        if limit < 1:
            raise PolicyError(f"MemoryJournal(limit={limit!r}): give at least 1")
        self._entries: deque[Entry] = deque(maxlen=limit)

    def prepare(self) -> None:
        """See `Journal.prepare`: there is nothing to do."""

    def handle(self, event: RescueEvent) -> None:
        """See `Journal.handle`."""
        self.record(Entry.of(event))

    def record(self, entry: Entry) -> None:
        """Keep an entry."""
        if entry not in self._entries:
            self._entries.append(entry)

    def entries(self, incident: str | None = None) -> Sequence[Entry]:
        """See `Journal.entries`; without an incident, everything."""
        return tuple(e for e in self._entries if incident in (None, e.incident))

    def incidents(self, limit: int = 20) -> Sequence[str]:
        """See `Journal.incidents`."""
        ids = list(dict.fromkeys(entry.incident for entry in self._entries))
        return tuple(ids[: -limit - 1 : -1])

"""A journal that is written a moment later, while the rescue waits for the network already."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from onhook.sinks.journal.entries import Entry, Journal, Step

__all__ = ["Soon"]

logger = logging.getLogger("onhook")

_SOON = 0.005
"""Seconds; a request has left by then, and its answer is not there yet."""


class Soon:
    """Keeps what comes before an act for a moment, and writes it with whatever follows.

    For where another process knows of the act before it is done: then nothing that a rescuer needs
    is lost with this one, and the act does not wait for the disk.

    Args:
        journal: Where the entries go.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: list[Entry] = []

    def prepare(self) -> None:
        """See `Journal.prepare`."""
        self._journal.prepare()

    def record(self, entry: Entry) -> None:
        """See `Journal.record`."""
        self._kept.append(entry)
        if entry.step not in (Step.OPENED, Step.INTENT):
            self._write()
        elif len(self._kept) == 1:
            asyncio.get_running_loop().call_later(_SOON, self._write_now)

    def entries(self, incident: str) -> Sequence[Entry]:
        """See `Journal.entries`."""
        self._write()
        return self._journal.entries(incident)

    def incidents(self, limit: int) -> Sequence[str]:
        """See `Journal.incidents`."""
        self._write()
        return self._journal.incidents(limit)

    def _write_now(self) -> None:
        try:
            self._write()
        except Exception:
            logger.exception("a step of a rescue could not be recorded; the rescue goes on")

    def _write(self) -> None:
        while self._kept:
            self._journal.record(self._kept.pop(0))

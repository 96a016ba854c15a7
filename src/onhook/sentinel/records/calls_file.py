"""The file of call records, open calls, and webhooks to be sent: its tables, and access to it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from onhook.errors import JournalError
from onhook.sinks.sqlite_file import SqliteFile

__all__ = ["CallsFile"]

_TIMEOUT = 0.25
"""Seconds to wait for another process that writes."""
_TABLES = """
CREATE TABLE record (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    direction TEXT NOT NULL,
    number TEXT NOT NULL,
    caller TEXT NOT NULL,
    trunk TEXT NOT NULL,
    agent TEXT NOT NULL,
    host TEXT NOT NULL,
    began_at REAL NOT NULL,
    answered_at REAL,
    ended_at REAL NOT NULL,
    ended_by TEXT NOT NULL,
    fault TEXT NOT NULL,
    incident TEXT NOT NULL,
    ring TEXT NOT NULL,
    mode TEXT NOT NULL,
    rescue TEXT NOT NULL,
    outcome TEXT NOT NULL,
    ringing REAL NOT NULL,
    silent REAL NOT NULL,
    billed_after_fault REAL NOT NULL,
    is_silent INTEGER NOT NULL,
    is_rescued INTEGER NOT NULL
);
CREATE INDEX record_by_end ON record (ended_at);
CREATE INDEX record_by_incident ON record (incident);
CREATE TABLE open_call (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    seen_at REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE rescue_event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL,
    wall REAL NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (room, body)
);
CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    since REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE INDEX webhook_by_due ON webhook (due)
"""
_FILE: Final = SqliteFile(
    what="file of call records",
    variable="ONHOOK_RECORDS",
    application=0x6F6E6863,  # "onhc"
    version=1,
    tables=_TABLES,
)


class CallsFile:
    """One connection to the file, lent to one thread at a time; opened at the first use.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    @contextlib.contextmanager
    def use(self, *, reading: bool = False) -> Iterator[Any]:
        """Lend the open file; `None` where there is nothing to read yet.

        Args:
            reading: Whether nothing is to be written: then no file is made.

        Raises:
            JournalError: It cannot be used, why, and what to do.
        """
        with self._lock:
            try:
                if reading and not self.path.exists():
                    yield None
                    return
                yield self._ready()
            except (sqlite3.Error, OSError) as error:
                with contextlib.suppress(sqlite3.Error):
                    if self._db is not None:
                        self._db.close()
                self._db = None  # whatever state it is in: the next use opens it anew
                raise _FILE.explained(self.path, error) from error

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    def damaged(self, error: BaseException) -> JournalError:
        """Return the error for a file that holds something else than it should."""
        return _FILE.damaged(self.path, error)

    def _ready(self) -> sqlite3.Connection:
        """Return the connection to the file that now bears the name."""
        if self._db is not None and self._opened == self._identity():
            return self._db
        if self._db is not None:
            self._db.close()
        self._db = None
        self._db = _FILE.opened(self.path, _TIMEOUT)
        self._opened = self._identity()
        return self._db

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

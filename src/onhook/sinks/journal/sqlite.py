"""A journal in a SQLite file: what was recorded outlives the process that recorded it."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from onhook import settings
from onhook.errors import JournalError, PolicyError
from onhook.rescue.events import RescueEvent
from onhook.sinks.journal.entries import Entry, Opening, Step
from onhook.sinks.journal.rows import from_row, to_row
from onhook.sinks.journal.schema import JOURNAL
from onhook.sinks.sqlite_file import HeldError
from onhook.validation import require_seconds

__all__ = ["KEEP", "KEEP_DAYS", "SqliteJournal"]

logger = logging.getLogger("onhook")

KEEP = 5_000
"""Incidents that are kept when nothing else is said; about 5 kB each."""
KEEP_DAYS = 90.0
_DAY = 86_400.0
_AT_ONCE = 500
_HURRIED = 5.0
"""Seconds for which a file that was held by another is not waited for again."""

_LATE = 200
"""Entries that are kept for a file that another holds."""
_RETRIED = 5.0
"""Seconds for which they are; the end of the process waits as long."""
_RETRY = 0.1

_REHEARSED = Entry("", Step.OPENED, 0.0, "", opening=Opening(""))
_INSERT = """
INSERT INTO entry (incident, step, at, subject, result, detail, wall, ring, opening)
VALUES ((SELECT n FROM incident WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?)
"""
_TOLD = """
SELECT 1 FROM entry
WHERE incident = (SELECT n FROM incident WHERE id = ?) AND step = ? AND at = ? AND ring = ?
"""
_IDS = "SELECT id FROM incident "
_ENTRIES = """
SELECT number, id, step, at, subject, result, detail, e.wall, ring, opening
FROM entry e JOIN incident i ON i.n = e.incident
"""


class SqliteJournal:
    """Keeps the newest incidents in one file, which several processes and threads may share.

    Each event is one transaction in WAL mode with `synchronous=NORMAL`: once it has returned,
    it is with the operating system, and kill -9 of the process loses nothing
    (sqlite.org/wal.html, "Performance Considerations": a power failure may lose the last entries,
    and never damages the file). That takes well below a millisecond on a local disk, so it is
    called in the event loop as it is. Another process that holds the file is waited for at most
    `timeout` seconds, and then for some seconds not at all, so that one that was stopped in the
    midst of writing delays no rescue; what was to be written is then written by a thread, which
    tries for 5 seconds.

    Nothing is opened before the first use, so that one can stand beside an entrypoint in a module
    and travels to the processes of jobs by its settings. The file is its owner's alone (0600), and
    so is its folder where it is made here (0700). Secrets of the environment are masked.

    Args:
        path: The file; as `onhook.settings` says when omitted.
        keep: How many incidents are kept; older ones go when a new one is recorded.
        keep_days: Days after which an incident goes in any case.
        timeout: Seconds to wait for another process that writes.
        wall: Seconds since 1970.

    Raises:
        PolicyError: A value is out of range.
        JournalError: From every method: the file cannot be used, why, and what to do.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        keep: int = KEEP,
        keep_days: float = KEEP_DAYS,
        timeout: float = 0.25,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if keep < 1:
            raise PolicyError(f"SqliteJournal(keep={keep!r}): give at least 1")
        if not keep_days > 0:
            raise PolicyError(f"SqliteJournal(keep_days={keep_days!r}): give more than 0")
        require_seconds("SqliteJournal", "timeout", timeout)
        self._path = None if path is None else settings.expanded(path)
        self._keep = keep
        self._keep_days = keep_days
        self._timeout = timeout
        self._wall = wall
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, ...] = ()
        self._inherited: list[sqlite3.Connection] = []
        self._hurried_until = 0.0
        self._late: list[Entry] = []
        self._retrying: threading.Thread | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel by settings; every process opens the file for itself."""
        return (_again, (self._path, self._keep, self._keep_days, self._timeout, self._wall))

    @property
    def path(self) -> Path:
        """The file. Without one that was given it is looked for at the first use.

        Raises:
            JournalError: There is no folder for it.
        """
        if self._path is None:
            self._path = settings.places().journal
        if self._path is None:
            raise JournalError(
                "there is no folder for the journal: neither the home nor /tmp can be written to. "
                "Set ONHOOK_JOURNAL to a file that can be made"
            )
        return self._path

    def prepare(self) -> None:
        """Open the file, tidy it up and try a write while there is time: milliseconds, once a call.

        It may run in a thread. Without it the first event opens the file, and waits for the disk.
        """
        with self._use() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            # the first write after that begins the log anew, and waits for the disk
            db.execute(f"PRAGMA user_version = {JOURNAL.version}")
            db.execute("BEGIN IMMEDIATE")
            self._forget(db)
            _write(db, _REHEARSED)
            db.execute("ROLLBACK")

    def handle(self, event: RescueEvent) -> None:
        """See `Journal.handle`."""
        self.record(Entry.of(event))

    def record(self, entry: Entry) -> None:
        """Keep an entry.

        Raises:
            JournalError: It could not be kept.
        """
        self._late.append(entry)
        try:
            self._write_late()
        except HeldError as error:
            self._try_later(error)
        except JournalError:
            self._late.clear()
            raise

    def _write_late(self) -> None:
        """Write what is not written yet, in order."""
        with self._use() as db:
            entries = tuple(self._late)
            with _transaction(db):
                for entry in entries:
                    found = db.execute("SELECT 1 FROM incident WHERE id = ?", (entry.incident,))
                    if found.fetchone() is None:
                        self._forget(db)
                    _write(db, entry)
            del self._late[: len(entries)]

    def _try_later(self, error: JournalError) -> None:
        if len(self._late) > _LATE:
            self._late.pop()
            raise error
        with self._lock:
            if self._retrying is not None and self._retrying.is_alive():  # none is after a fork
                return
            logger.warning("%s; what is recorded waits for %g s", error, _RETRIED)
            self._retrying = threading.Thread(target=self._retry, name="onhook-journal")
            self._retrying.start()

    def _retry(self) -> None:
        """Wait for who holds the file, beside the event loop and not for ever."""
        until = time.monotonic() + _RETRIED
        while True:
            time.sleep(_RETRY)
            try:
                self._write_late()
            except JournalError as error:
                if not isinstance(error, HeldError) or time.monotonic() > until:
                    logger.error("%d entries are lost: %s", len(self._late), error)  # noqa: TRY400 - no traceback helps
                    self._late.clear()
            with self._lock:
                if not self._late:
                    self._retrying = None
                    return

    def _forget(self, db: sqlite3.Connection) -> None:
        """Make room for one more incident."""
        db.execute("DELETE FROM incident WHERE wall < ?", (self._wall() - self._keep_days * _DAY,))
        db.execute(
            "DELETE FROM incident WHERE n <= "
            "(SELECT n FROM incident ORDER BY n DESC LIMIT 1 OFFSET ?)",
            (self._keep - 1,),
        )

    def entries(self, incident: str) -> Sequence[Entry]:
        """See `Journal.entries`."""
        return [e for _, e in self._select("WHERE id = ? ORDER BY number", incident)]

    def incidents(self, limit: int = 20) -> Sequence[str]:
        """See `Journal.incidents`."""
        return self._ids("ORDER BY n DESC LIMIT ?", limit)

    def matching(self, prefix: str) -> Sequence[str]:
        """Return the ids that begin with a prefix, with or without `inc_`, newest first."""
        where = "WHERE substr(id, 1, ?) = ? OR substr(id, 5, ?) = ? ORDER BY n DESC LIMIT ?"
        return self._ids(where, len(prefix), prefix, len(prefix), prefix, _AT_ONCE)

    def observed(self, since: float) -> Sequence[str]:
        """Return the ids of the incidents that were only observed, newest first.

        Args:
            since: Seconds since 1970.
        """
        which = "SELECT incident FROM entry WHERE step = ? AND subject = ? AND wall >= ?"
        return self._ids(f"WHERE n IN ({which}) ORDER BY n DESC", Step.CLOSED, "observed", since)

    def since(self, position: int) -> tuple[int, Sequence[Entry]]:
        """Return the entries recorded after a position, oldest first, and the new position.

        Args:
            position: What the last call returned; 0 for the first entry, -n for the last n.
        """
        newest = self._newest()
        if position < 0:
            position = max(newest + position, 0)
        if newest < position:  # the file has been replaced meanwhile
            position = 0
        found = self._select("WHERE number > ? ORDER BY number LIMIT ?", position, _AT_ONCE)
        return (found[-1][0] if found else position), [entry for _, entry in found]

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    def _newest(self) -> int:
        with self._use(reading=True) as db:
            return _first(db, "SELECT coalesce(max(number), 0) FROM entry") if db else 0

    def _ids(self, rest: str, *values: object) -> Sequence[str]:
        with self._use(reading=True) as db:
            rows = db.execute(_IDS + rest, values) if db else ()
            return [str(row[0]) for row in rows]

    def _select(self, rest: str, *values: object) -> Sequence[tuple[int, Entry]]:
        with self._use(reading=True) as db:
            rows = db.execute(_ENTRIES + rest, values).fetchall() if db else []
        try:
            return [(row[0], from_row(row[1:])) for row in rows]
        except (TypeError, ValueError) as error:
            raise JOURNAL.damaged(self.path, error) from error

    @contextlib.contextmanager
    def _use(self, *, reading: bool = False) -> Iterator[Any]:
        """Lend the open file; `None` where there is nothing to read yet."""
        with self._lock:
            try:
                if reading and not self.path.exists():
                    yield None
                    return
                yield self._ready()
            except (sqlite3.Error, OSError) as error:
                # whatever state the file is in: the next use looks at it anew
                with contextlib.suppress(sqlite3.Error):
                    if self._db is not None:
                        self._db.close()
                self._db = None
                self._hurried_until = time.monotonic() + _HURRIED
                raise JOURNAL.explained(self.path, error) from error

    def _ready(self) -> sqlite3.Connection:
        """Return the connection of this process to the file that now bears the name."""
        hurried = time.monotonic() < self._hurried_until
        patience = 0.0 if hurried else self._timeout
        if self._db is not None and self._opened == self._identity():
            self._db.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
            return self._db
        if self._db is not None and self._opened[:1] != (os.getpid(),):
            self._inherited.append(
                self._db
            )  # a fork must not even close it: sqlite.org/howtocorrupt
        elif self._db is not None:
            self._db.close()
        self._db = None
        self._db = JOURNAL.opened(self.path, patience)
        self._opened = self._identity()
        return self._db

    def _identity(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return ()
        return os.getpid(), status.st_dev, status.st_ino


def _write(db: sqlite3.Connection, entry: Entry) -> None:
    insert = "INSERT OR IGNORE INTO incident (id, wall) VALUES (?, ?)"
    db.execute(insert, (entry.incident, entry.wall))
    told = (entry.incident, entry.step.value, entry.at, entry.ring.value)
    if db.execute(_TOLD, told).fetchone() is None:
        db.execute(_INSERT, (entry.incident, *to_row(entry)))


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has ended it (sqlite.org/lang_transaction.html)
            db.execute("ROLLBACK")
        raise


def _first(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])


def _again(
    path: Path | None, keep: int, keep_days: float, timeout: float, wall: Callable[[], float]
) -> SqliteJournal:
    return SqliteJournal(path, keep=keep, keep_days=keep_days, timeout=timeout, wall=wall)

"""The journal's file: how it is made, known again, and what is said when it cannot be used."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path

from onhook.errors import JournalError

__all__ = ["VERSION", "HeldError", "damaged", "explained", "opened"]

VERSION = 1
"""Kept in the file as `user_version`; a change of the tables makes it grow."""
_APPLICATION = 0x6F6E686B
"""Kept in the file as `application_id`: "onhk"."""
_PAUSE = 0.01

_TABLES = """
CREATE TABLE incident (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    wall REAL NOT NULL
);
CREATE TABLE entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    incident INTEGER NOT NULL REFERENCES incident (n) ON DELETE CASCADE,
    step TEXT NOT NULL,
    at REAL NOT NULL,
    subject TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    wall REAL NOT NULL,
    ring TEXT NOT NULL,
    opening TEXT
);
CREATE INDEX entry_of_incident ON entry (incident);
CREATE INDEX incident_by_age ON incident (wall);
"""


class HeldError(JournalError):
    """Another process has held the file for longer than may be waited."""


def opened(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file, and make it where there is none.

    Args:
        path: The file.
        timeout: Seconds to wait for others that use it.

    Raises:
        JournalError: It is of a newer onhook, or of something else.
        sqlite3.Error: SQLite cannot use it; see `explained`.
        OSError: It cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # made by us and not by SQLite, whose files anybody may read; its -wal and -shm follow suit
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, path, timeout)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, timeout: float) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    _check(db, path)
    _to_wal(db, timeout)
    db.execute("PRAGMA synchronous = NORMAL")
    if _number(db, "user_version") == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")  # of several processes, one makes the tables
    try:
        if _number(db, "user_version") != VERSION:
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _check(db: sqlite3.Connection, path: Path) -> None:
    version, application = _number(db, "user_version"), _number(db, "application_id")
    if application != _APPLICATION:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and _number(db, "application_id") != _APPLICATION:  # nor has it just been made
            raise JournalError(
                f"{path} is a database of another program: give the journal a file of its own "
                "(ONHOOK_JOURNAL=FILE)"
            )
    elif version > VERSION:
        raise JournalError(
            f"{path} was written by a newer onhook (schema {version}; this one knows {VERSION}): "
            "upgrade onhook, or give another file (ONHOOK_JOURNAL=FILE)"
        )


def _to_wal(db: sqlite3.Connection, timeout: float) -> None:
    """Switch to the write-ahead log; while others do the same, SQLite refuses without waiting."""
    until = time.monotonic() + timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _name(error) != "SQLITE_BUSY" or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _name(error: BaseException) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def explained(path: Path, error: sqlite3.Error | OSError) -> JournalError:
    """Return the error that says what is wrong with the file, and what to do."""
    name = _name(error)
    kind = JournalError
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return damaged(path, error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        kind = HeldError
        what = "another process holds it; is one that writes to it stopped? `fuser FILE` names it"
    elif name.startswith("SQLITE_FULL") or _full(path, error):
        what = "the disk is full: make room, or move the journal (ONHOOK_JOURNAL=FILE)"
    else:
        what = (
            "it, and its folder, must be writable for this user; or give another file "
            "(ONHOOK_JOURNAL=FILE)"
        )
    return kind(f"cannot use the journal {path} ({error}): {what}")


def _full(path: Path, error: BaseException) -> bool:
    """Return whether there is no room: SQLite says of a file that it cannot make only that."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_blocks > 0 and (found.f_bavail == 0 or 0 < found.f_files > found.f_favail == 0)


def damaged(path: Path, error: BaseException) -> JournalError:
    """Return the error for a file that holds something else than it should."""
    return JournalError(
        f"the journal {path} is damaged, or is none ({error}): move it away together with "
        f"{path.name}-wal and {path.name}-shm; the next incident starts a new one"
    )

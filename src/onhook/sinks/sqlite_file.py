"""A SQLite file of ours: how it is made, known again, and what is said when it cannot be used."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from onhook.errors import JournalError

__all__ = ["HeldError", "SqliteFile", "make_private"]

_PAUSE = 0.01


class HeldError(JournalError):
    """Another process has held the file for longer than may be waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFile:
    """What a file holds, and by what it is known again.

    Args:
        what: What is kept in it, for messages, such as `journal`.
        variable: Environment variable that names another file.
        application: Kept in the file as `application_id`; four letters as a number.
        version: Kept in it as `user_version`; a change of the tables makes it grow.
        tables: The statements that make them, with semicolons between.
    """

    what: str
    variable: str
    application: int
    version: int
    tables: str

    def opened(self, path: Path, timeout: float) -> sqlite3.Connection:
        """Open the file, and make it where there is none.

        Args:
            path: The file.
            timeout: Seconds to wait for others that use it.

        Raises:
            JournalError: It is of a newer onhook, or of something else.
            sqlite3.Error: SQLite cannot use it; see `explained`.
            OSError: It cannot be made.
        """
        make_private(path)
        db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db, path, timeout)
        except BaseException:
            db.close()
            raise
        return db

    def explained(self, path: Path, error: sqlite3.Error | OSError) -> JournalError:
        """Return the error that says what is wrong with the file, and what to do."""
        name = _name(error)
        kind = JournalError
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return self.damaged(path, error)
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            kind = HeldError
            why = (
                "another process holds it; is one that writes to it stopped? `fuser FILE` names it"
            )
        elif name.startswith("SQLITE_FULL") or _full(path, error):
            why = f"the disk is full: make room, or move the {self.what} ({self.variable}=FILE)"
        else:
            why = (
                "it, and its folder, must be writable for this user; or give another file "
                f"({self.variable}=FILE)"
            )
        return kind(f"cannot use the {self.what} {path} ({error}): {why}")

    def damaged(self, path: Path, error: BaseException) -> JournalError:
        """Return the error for a file that holds something else than it should."""
        return JournalError(
            f"the {self.what} {path} is damaged, or is none ({error}): move it away together with "
            f"{path.name}-wal and {path.name}-shm; what is kept next starts a new one"
        )

    def _prepare(self, db: sqlite3.Connection, path: Path, timeout: float) -> None:
        db.execute("PRAGMA foreign_keys = ON")
        self._check(db, path)
        _to_wal(db, timeout)
        db.execute("PRAGMA synchronous = NORMAL")
        if _number(db, "user_version") == self.version:
            return
        db.execute("BEGIN IMMEDIATE")  # of several processes, one makes the tables
        try:
            if _number(db, "user_version") != self.version:
                for statement in self.tables.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {self.application}")
                db.execute(f"PRAGMA user_version = {self.version}")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _check(self, db: sqlite3.Connection, path: Path) -> None:
        version, application = _number(db, "user_version"), _number(db, "application_id")
        if application != self.application:
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            # nor has it just been made
            if tables and _number(db, "application_id") != self.application:
                raise JournalError(
                    f"{path} is a database of another program: give the {self.what} a file of its "
                    f"own ({self.variable}=FILE)"
                )
        elif version > self.version:
            raise JournalError(
                f"{path} was written by a newer onhook (schema {version}; this one knows "
                f"{self.version}): upgrade onhook, or give another file ({self.variable}=FILE)"
            )


def make_private(path: Path) -> None:
    """Make a file that its owner alone can read and write, where there is none.

    By us and not by SQLite, whose files anybody may read; its -wal and -shm follow suit. A file
    that is there is never opened: to close it would give up the locks of every connection of this
    process to it, and whoever closes the file next deletes the -wal (sqlite.org/howtocorrupt.html,
    "Posix advisory locks canceled by a separate thread doing close()").

    Args:
        path: The file.

    Raises:
        OSError: It cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        status = path.stat()
        if status.st_uid == os.geteuid() and status.st_mode & 0o077:
            path.chmod(0o600)


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


def _full(path: Path, error: BaseException) -> bool:
    """Return whether there is no room: SQLite says of a file that it cannot make only that."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_blocks > 0 and (found.f_bavail == 0 or 0 < found.f_files > found.f_favail == 0)

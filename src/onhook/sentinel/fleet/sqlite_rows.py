"""The file of `SqliteClaims`: its tables, and every statement. Nothing here decides when."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from onhook.incident import Ending, Outcome
from onhook.sentinel.fleet.claims import (
    MOST_EVENTS,
    Claim,
    ClaimLostError,
    Finished,
    Refused,
)
from onhook.sinks.sqlite_file import make_private

__all__ = [
    "Lease",
    "Record",
    "append",
    "bound",
    "events",
    "find",
    "finish",
    "forget",
    "is_finished_so",
    "lapsed",
    "lease",
    "members",
    "next_token",
    "opened",
    "recent",
    "require_held",
    "take",
]

_ROUNDING = 1.0
"""Seconds; a sum of times may be off by a little."""
_TABLES = (
    """CREATE TABLE IF NOT EXISTS claim (
        call TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        token INTEGER NOT NULL,
        until REAL NOT NULL,
        ttl REAL NOT NULL,
        claimed_wall REAL NOT NULL,
        ending TEXT,
        incident TEXT,
        detail TEXT,
        finished_wall REAL
    )""",
    "CREATE INDEX IF NOT EXISTS claim_by_token ON claim (token)",
    """CREATE TABLE IF NOT EXISTS event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        call TEXT NOT NULL REFERENCES claim (call) ON DELETE CASCADE,
        body BLOB NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS event_of_call ON event (call)",
    "CREATE TABLE IF NOT EXISTS member (name TEXT PRIMARY KEY, until REAL NOT NULL, ttl REAL)",
)


def opened(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file, and make it where there is none.

    Args:
        path: The file.
        timeout: Seconds to wait for others that write to it.

    Raises:
        sqlite3.Error: SQLite cannot use it.
        OSError: It cannot be made.
    """
    make_private(path)
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        for table in _TABLES:
            db.execute(table)
    except BaseException:
        db.close()
        raise
    return db


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a call, by which token, until when, and for how long it was given."""

    owner: str
    token: int
    until: float
    ttl: float


@dataclass(frozen=True, slots=True)
class Record:
    """One call's row."""

    lease: Lease
    ending: str | None
    incident: str | None
    detail: str | None
    finished_wall: float | None

    def refusal(self, now: float, wall: float, beyond: int) -> Refused | None:
        """Say why the call cannot be claimed; `None` where it can."""
        finished = self.finished(wall)
        if finished is not None:
            return Refused(finished.owner, now, finished) if finished.token > beyond else None
        left = self.lease.until - now
        # more than was given: the host's clock has begun anew, and the holder is gone with it
        held = 0 < left <= self.lease.ttl + _ROUNDING
        return Refused(self.lease.owner, self.lease.until) if held else None

    def finished(self, wall: float) -> Finished | None:
        """Return the outcome, if there is one."""
        if self.ending is None:
            return None
        told = (self.incident or "", cast("Ending", self.ending), self.detail or "")
        ago = max(0.0, wall - (self.finished_wall or wall))
        return Finished(*told, self.lease.owner, self.lease.token, ago)


def find(db: sqlite3.Connection, call: str) -> Record | None:
    """Return a call's row."""
    row = db.execute(
        "SELECT owner, token, until, ttl, ending, incident, detail, finished_wall "
        "FROM claim WHERE call = ?",
        (call,),
    ).fetchone()
    return None if row is None else Record(Lease(*row[:4]), *row[4:])


def next_token(db: sqlite3.Connection, wall: float) -> int:
    """Return a token that is greater than every other, also after the file has been lost."""
    (newest,) = db.execute("SELECT coalesce(max(token), 0) FROM claim").fetchone()
    return max(int(newest) + 1, int(wall * 1e6))


def take(db: sqlite3.Connection, call: str, lease: Lease, wall: float) -> None:
    """Give a call to an owner."""
    db.execute(
        "INSERT INTO claim (call, owner, token, until, ttl, claimed_wall) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (call) DO UPDATE SET owner = excluded.owner, "
        "token = excluded.token, until = excluded.until, ttl = excluded.ttl, "
        "claimed_wall = excluded.claimed_wall",
        (call, lease.owner, lease.token, lease.until, lease.ttl, wall),
    )


def lease(db: sqlite3.Connection, call: str, until: float, ttl: float) -> None:
    """Set when a lease ends."""
    db.execute("UPDATE claim SET until = ?, ttl = ? WHERE call = ?", (until, ttl, call))


def require_held(db: sqlite3.Connection, claim: Claim) -> None:
    """Raise where a claim is not the newest one.

    Raises:
        ClaimLostError: Says who has the call.
    """
    record = find(db, claim.call)
    if record is None:
        raise ClaimLostError(f"{claim.call}: nothing is known of this claim any more")
    if record.ending is not None:
        raise ClaimLostError(f"{claim.call}: {record.lease.owner!r} has finished it")
    if record.lease.token != claim.token:
        raise ClaimLostError(f"{claim.call}: {record.lease.owner!r} has taken it over")


def is_finished_so(db: sqlite3.Connection, claim: Claim, outcome: Outcome) -> bool:
    """Return whether this very outcome is there already."""
    record = find(db, claim.call)
    told = (claim.token, outcome.incident, outcome.ending)
    return record is not None and (record.lease.token, record.incident, record.ending) == told


def finish(
    db: sqlite3.Connection, claim: Claim, outcome: Outcome, detail: str, wall: float
) -> None:
    """Keep an outcome."""
    db.execute(
        "UPDATE claim SET ending = ?, incident = ?, detail = ?, finished_wall = ? WHERE call = ?",
        (outcome.ending, outcome.incident, detail, wall, claim.call),
    )


def append(db: sqlite3.Connection, call: str, bodies: Sequence[bytes]) -> None:
    """Keep events, each once; beyond the bound only the newest."""
    for body in bodies:
        known = db.execute("SELECT 1 FROM event WHERE call = ? AND body = ?", (call, body))
        if known.fetchone() is not None:
            continue
        (kept,) = db.execute("SELECT count(*) FROM event WHERE call = ?", (call,)).fetchone()
        if kept >= MOST_EVENTS:
            db.execute(
                "DELETE FROM event WHERE number = (SELECT max(number) FROM event WHERE call = ?)",
                (call,),
            )
        db.execute("INSERT INTO event (call, body) VALUES (?, ?)", (call, body))


def events(db: sqlite3.Connection, call: str) -> Sequence[bytes]:
    """Return the events of a call, oldest first."""
    found = db.execute("SELECT body FROM event WHERE call = ? ORDER BY number", (call,))
    return [row[0] for row in found]


def lapsed(db: sqlite3.Connection, now: float, limit: int) -> Sequence[str]:
    """Return calls that nobody holds and nobody has finished; see `Record.refusal`."""
    found = db.execute(
        "SELECT call FROM claim WHERE ending IS NULL AND (until <= ? OR until - ? > ttl + 1) "
        "ORDER BY until, token LIMIT ?",
        (now, now, limit),
    )
    return tuple(row[0] for row in found)


def recent(db: sqlite3.Connection, limit: int) -> Sequence[str]:
    """Return the calls that were claimed last, newest first."""
    found = db.execute("SELECT call FROM claim ORDER BY token DESC LIMIT ?", (limit,))
    return tuple(row[0] for row in found)


def members(db: sqlite3.Connection, owner: str, now: float, ttl: float) -> Sequence[str]:
    """Keep that a sentinel lives, and return all that do."""
    db.execute("INSERT OR REPLACE INTO member VALUES (?, ?, ?)", (owner, now + ttl, ttl))
    db.execute("DELETE FROM member WHERE until <= ? OR until - ? > ttl + 1", (now, now))
    return tuple(row[0] for row in db.execute("SELECT name FROM member ORDER BY name"))


def forget(db: sqlite3.Connection, call: str) -> None:
    """Forget a call, and what was told of it."""
    db.execute("DELETE FROM claim WHERE call = ?", (call,))


def bound(db: sqlite3.Connection, limit: int, oldest: float) -> None:
    """Forget what is too old, and of too many calls the finished ones first."""
    db.execute("DELETE FROM claim WHERE claimed_wall < ?", (oldest,))
    db.execute(
        "DELETE FROM claim WHERE call IN (SELECT call FROM claim ORDER BY ending IS NULL, token "
        "LIMIT max(0, (SELECT count(*) FROM claim) - ?))",
        (limit,),
    )

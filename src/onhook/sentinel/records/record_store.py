"""The file of call records: one row for each call, kept for some days."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onhook.call import Direction
from onhook.errors import PolicyError
from onhook.sentinel.records.call_record import CallRecord, EndedBy
from onhook.sentinel.records.calls_file import CallsFile
from onhook.sentinel.records.record_sums import By, RecordSum

__all__ = ["KEEP", "KEEP_DAYS", "RecordStore"]

KEEP = 1_000_000
"""Records that are kept when nothing else is said; about 400 bytes each."""
KEEP_DAYS = 90.0
_DAY = 86_400.0
_PRUNED_EVERY = 100
"""Records between two looks for what is too old."""

_FIELDS = tuple(field.name for field in dataclasses.fields(CallRecord))
_COLUMNS = ", ".join(_FIELDS)
_VALUES = ", ".join("?" * len(_FIELDS))


class RecordStore:
    """Keeps the records of the calls that have ended, in a file that several processes may share.

    The file is its owner's alone (0600). A record takes about a tenth of a millisecond; sums over
    many calls take longer, so that whoever serves requests asks for them in a thread. Every method
    may be called from any thread.

    Args:
        path: The file; made at the first use.
        keep_days: Days after its end for which a call is remembered.
        keep: How many are remembered; the oldest go first.
        wall: Seconds since 1970.

    Raises:
        PolicyError: A value is out of range.
        JournalError: From every method: the file cannot be used, why, and what to do.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_days: float = KEEP_DAYS,
        keep: int = KEEP,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if not keep_days > 0:
            raise PolicyError(f"RecordStore(keep_days={keep_days!r}): give more than 0")
        if keep < 1:
            raise PolicyError(f"RecordStore(keep={keep!r}): give at least 1")
        self.path = path
        self.keep_days = keep_days
        self._keep = keep
        self._wall = wall
        self._file = CallsFile(path)
        self._since_pruned = _PRUNED_EVERY

    def keep(self, record: CallRecord) -> bool:
        """Keep a record; return whether it is new. One that is there already stays as it is.

        Args:
            record: It.
        """
        statement = f"INSERT OR IGNORE INTO record ({_COLUMNS}, is_silent, is_rescued) VALUES ({_VALUES}, ?, ?)"  # noqa: S608, E501 - names of our own
        with self._file.use() as db:
            new = bool(db.execute(statement, _row(record)).rowcount == 1)
        self._since_pruned += new
        if self._since_pruned >= _PRUNED_EVERY:
            self.prune()
        return new

    def amend(self, record: CallRecord) -> bool:
        """Replace a record, by what was learned later; return whether it was there.

        Args:
            record: It, with the same id.
        """
        names = ", ".join(f"{name} = ?" for name in (*_FIELDS, "is_silent", "is_rescued"))
        with self._file.use() as db:
            statement = f"UPDATE record SET {names} WHERE id = ?"  # noqa: S608 - names of our own
            return bool(db.execute(statement, (*_row(record), record.id)).rowcount == 1)

    def find(self, record: str) -> CallRecord | None:
        """Return a record; `None` where there is none.

        Args:
            record: Its id.
        """
        return next(iter(self._select("WHERE id = ?", record)), None)

    def of_incident(self, incident: str) -> CallRecord | None:
        """Return the record of the call that had an incident; `None` where there is none.

        Args:
            incident: Id of the incident.
        """
        return next(iter(self._select("WHERE incident = ? LIMIT 1", incident)), None)

    def newest(self, limit: int = 50, before: float | None = None) -> Sequence[CallRecord]:
        """Return the calls that ended last, newest first.

        Args:
            limit: How many at most.
            before: Only those that ended before then, in seconds since 1970: `ended_at` of the last
                one of the page before.
        """
        until = float("inf") if before is None else before
        return self._select("WHERE ended_at < ? ORDER BY ended_at DESC LIMIT ?", until, limit)

    def since(self, since: float, limit: int = 10_000) -> Sequence[CallRecord]:
        """Return the calls that ended since then, newest first.

        Args:
            since: Seconds since 1970.
            limit: How many at most.
        """
        return self._select("WHERE ended_at >= ? ORDER BY ended_at DESC LIMIT ?", since, limit)

    def sums(self, since: float, by: By = "number") -> Sequence[RecordSum]:
        """Return what the calls since then sum up to, the most dead air first.

        Args:
            since: Seconds since 1970; counted by when a call ended.
            by: Whether there is a row for each of the project's numbers, or for each agent.

        Raises:
            PolicyError: There are no such sums.
        """
        if by not in ("number", "agent"):
            raise PolicyError(f"sums(by={by!r}): give 'number' or 'agent'")
        statement = (
            f"SELECT {by}, count(*), sum(is_silent), sum(silent), sum(is_rescued) FROM record "  # noqa: S608 - one of two names
            f"WHERE ended_at >= ? GROUP BY {by} ORDER BY sum(silent) DESC, count(*) DESC, {by}"
        )
        with self._file.use(reading=True) as db:
            rows = db.execute(statement, (since,)).fetchall() if db else []
        return [
            RecordSum(key=key, calls=calls, silent_calls=silent, dead_seconds=dead, rescued=rescued)
            for key, calls, silent, dead, rescued in rows
        ]

    def total(self, since: float) -> RecordSum:
        """Return what all calls since then sum up to.

        Args:
            since: Seconds since 1970.
        """
        parts = self.sums(since, "agent")
        return RecordSum(
            key="",
            calls=sum(part.calls for part in parts),
            silent_calls=sum(part.silent_calls for part in parts),
            dead_seconds=sum(part.dead_seconds for part in parts),
            rescued=sum(part.rescued for part in parts),
        )

    def prune(self) -> int:
        """Forget what is too old, and the oldest of what is too much; return how many went."""
        self._since_pruned = 0
        with self._file.use() as db:
            oldest = self._wall() - self.keep_days * _DAY
            gone: int = db.execute("DELETE FROM record WHERE ended_at < ?", (oldest,)).rowcount
            beyond: int = db.execute(
                "DELETE FROM record WHERE rowid IN (SELECT rowid FROM record ORDER BY ended_at "
                "LIMIT max(0, (SELECT count(*) FROM record) - ?))",
                (self._keep,),
            ).rowcount
            return gone + beyond

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    def _select(self, rest: str, *values: object) -> Sequence[CallRecord]:
        with self._file.use(reading=True) as db:
            statement = f"SELECT {_COLUMNS} FROM record {rest}"  # noqa: S608 - names of our own
            rows = db.execute(statement, values).fetchall() if db else []
        try:
            return [_record(row) for row in rows]
        except (TypeError, ValueError) as error:
            raise self._file.damaged(error) from error


def _row(record: CallRecord) -> tuple[object, ...]:
    values = (getattr(record, name) for name in _FIELDS)
    plain = (str(value) if isinstance(value, str) else value for value in values)
    return (*plain, record.is_silent, record.is_rescued)


def _record(row: Sequence[Any]) -> CallRecord:
    told = dict(zip(_FIELDS, row, strict=True))
    told["direction"] = Direction(told["direction"])
    told["ended_by"] = EndedBy(told["ended_by"])
    return CallRecord(**told)

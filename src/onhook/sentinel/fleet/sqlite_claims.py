"""Claims in a file: what one host keeps over a restart, also for several processes on it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from onhook.incident import Outcome
from onhook.redaction import bounded
from onhook.rescue.event_codec import encode
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet import sqlite_rows as rows
from onhook.sentinel.fleet.claims import (
    Claim,
    Finished,
    FleetUnavailableError,
    Refused,
    require_claimable,
)
from onhook.sentinel.fleet.kept_events import read

__all__ = ["SqliteClaims"]

_T = TypeVar("_T")
_DAY = 86_400.0
_MOST_WAITING = 200
"""Requests that wait for the disk; of more none is taken."""


class SqliteClaims:
    """Claims in a file; see `Claims`. The processes must run on one host: they share its clock.

    A lease that was given before the host was started anew has lapsed.

    Args:
        path: The file; made where there is none, readable for this user only.
        timeout: Seconds that a request may take, others that write included.
        clock: Seconds of the host's monotonic clock.
        wall: Seconds since 1970.
        limit: Calls that are remembered; beyond it the finished ones are forgotten first.
        keep_days: Days that any of them is remembered.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        limit: int = 10_000,
        keep_days: float = 7.0,
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._clock = clock
        self._wall = wall
        self._limit = limit
        self._keep = keep_days * _DAY
        self._db: sqlite3.Connection | None = None
        self._places = threading.BoundedSemaphore(_MOST_WAITING)
        # a thread of its own: a disk that hangs keeps nobody else waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="onhook-claims")

    async def aclose(self) -> None:
        """Close the file; the claims stay in it."""
        with contextlib.suppress(FleetUnavailableError):
            await self._run(self._close)
        self._thread.shutdown(wait=False)

    async def claim(self, call: str, owner: str, ttl: float, *, beyond: int = 0) -> Claim | Refused:
        """See `Claims.claim`."""
        require_claimable(call, owner, ttl)

        def work() -> Claim | Refused:
            now, wall = self._clock(), self._wall()
            with self._transaction() as db:
                record = rows.find(db, call)
                if record is not None and (refused := record.refusal(now, wall, beyond)):
                    return refused
                if record is not None and record.ending:
                    rows.forget(db, call)  # a new incident
                token = rows.next_token(db, wall)
                rows.take(db, call, rows.Lease(owner, token, now + ttl, ttl), wall)
                rows.bound(db, self._limit, wall - self._keep)
            return Claim(call, owner, token, now + ttl)

        return await self._run(work)

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        """See `Claims.renew`."""
        require_claimable(claim.call, claim.owner, ttl)
        bodies = [encode(event) for event in events]

        def work() -> Claim:
            until = self._clock() + ttl
            with self._transaction() as db:
                rows.require_held(db, claim)
                rows.append(db, claim.call, bodies)
                rows.lease(db, claim.call, until, ttl)
            return replace(claim, until=until)

        return await self._run(work)

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        """See `Claims.release`."""
        bodies = [encode(event) for event in events]

        def work() -> None:
            with self._transaction() as db:
                if outcome is None and rows.find(db, claim.call) is None:
                    return
                if outcome is not None and rows.is_finished_so(db, claim, outcome):
                    return
                rows.require_held(db, claim)
                rows.append(db, claim.call, bodies)
                rows.lease(db, claim.call, self._clock(), 0.0)
                if outcome is not None:
                    rows.finish(db, claim, outcome, bounded(outcome.detail), self._wall())
                elif not rows.events(db, claim.call):
                    rows.forget(db, claim.call)

        await self._run(work)

    async def done(self, call: str) -> Finished | None:
        """See `Claims.done`."""

        def work() -> Finished | None:
            record = rows.find(self._open(), call)
            return None if record is None else record.finished(self._wall())

        return await self._run(work)

    async def events(self, call: str) -> Sequence[RescueEvent]:
        """See `Claims.events`."""
        return read(call, await self._run(lambda: rows.events(self._open(), call)))

    async def lapsed(self, limit: int) -> Sequence[str]:
        """See `Claims.lapsed`."""
        return await self._run(lambda: rows.lapsed(self._open(), self._clock(), limit))

    async def recent(self, limit: int) -> Sequence[str]:
        """See `Claims.recent`."""
        return await self._run(lambda: rows.recent(self._open(), limit))

    async def members(self, owner: str, ttl: float) -> Sequence[str]:
        """See `Claims.members`."""

        def work() -> Sequence[str]:
            with self._transaction() as db:
                return rows.members(db, owner, self._clock(), ttl)

        return await self._run(work)

    async def forget(self, call: str) -> None:
        """See `LocalClaims.forget`."""

        def work() -> None:
            with self._transaction() as db:
                rows.forget(db, call)

        await self._run(work)

    async def _run(self, work: Callable[[], _T]) -> _T:
        """Work beside the event loop, within the deadline."""
        if not self._places.acquire(blocking=False):
            raise self._unavailable(f"{_MOST_WAITING} requests wait for it already")
        future = self._thread.submit(self._guarded, work)
        future.add_done_callback(lambda _: self._places.release())
        try:
            async with asyncio.timeout(2 * self._timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise self._unavailable(f"no answer within {2 * self._timeout:g} s") from None

    def _guarded(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            self._close()  # whatever state the file is in: the next use looks at it anew
            raise self._unavailable(str(error)) from error

    def _unavailable(self, why: str) -> FleetUnavailableError:
        return FleetUnavailableError(
            f"cannot use the claims in {self.path} ({why}): it, and its folder, must be writable "
            "for this user, and the disk not full; a damaged one is moved away with its -wal, -shm"
        )

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = rows.opened(self.path, self._timeout)
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._open()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk has ended it (sqlite.org/lang_transaction.html)
                db.execute("ROLLBACK")
            raise

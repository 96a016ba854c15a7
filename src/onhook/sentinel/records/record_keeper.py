"""Keeps what the call book finds: in the file, by one sentinel of a fleet, once a call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from onhook.errors import JournalError
from onhook.incident import Outcome
from onhook.sentinel.fleet.claims import (
    ClaimLostError,
    Claims,
    FleetUnavailableError,
    Refused,
)
from onhook.sentinel.records.call_book import CallBook, DueCall
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.open_calls import OpenCalls
from onhook.sentinel.records.record_store import RecordStore

__all__ = ["RecordKeeper"]

logger = logging.getLogger("onhook")

_PERIOD = 0.25
_ALIVE = 5.0
"""Seconds between two notes that this sentinel runs: so exact is the end of a call of which no
sentinel has seen it."""
_PRUNE = 3600.0
_AT_ONCE = 200
_QUIET = 60.0
"""Seconds between two lines about a file that cannot be used."""
_LEASE, _AGAIN = 10.0, 2.0
_DONE = "record"


class RecordKeeper:
    """Makes and keeps records; somebody has to run `watch`.

    Args:
        book: Knows the calls.
        store: The records; `None` where there is no place for them.
        open_calls: Calls that have not ended, over a restart; `None` likewise.
        ended: Is given each record that was made here, before it counts as made.
        amended: Is given each record of which more was learned later.
        tell: Tells the other sentinels of a record that was made here.
        claims: Which of several sentinels makes a record; `None` where there is only this one.
        owner: This sentinel's name.
        clock: Seconds of a monotonic clock.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        book: CallBook,
        store: RecordStore | None,
        open_calls: OpenCalls | None,
        *,
        ended: Callable[[CallRecord], Awaitable[None]],
        tell: Callable[[CallRecord], None],
        amended: Callable[[CallRecord], None] = lambda _: None,
        claims: Claims | None = None,
        owner: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._store = store
        self._open_calls = open_calls
        self._ended = ended
        self._tell = tell
        self._amended = amended
        self._claims = claims
        self._owner = owner
        self._clock = clock
        self._sleep = sleep
        self._alive_at = self._pruned_at = float("-inf")
        self._broken_at = float("-inf")
        self._others: list[CallRecord] = []
        self.made = 0
        """Records that were made here."""
        self.problem = ""
        """Why records cannot be kept now; empty where they can."""

    def take(self, record: CallRecord) -> None:
        """Keep a record that another sentinel has made."""
        if len(self._others) < _AT_ONCE * 10:
            self._others.append(record)

    async def watch(self) -> None:
        """Keep what there is to keep, for ever."""
        await self._guarded(self._restore)
        while True:
            await self._guarded(self.step)
            await self._sleep(_PERIOD)

    async def step(self) -> None:
        """Keep what there is to keep now.

        Raises:
            JournalError: The file cannot be used.
        """
        await self._keep_news()
        others, self._others = self._others, []
        for record in others:
            if self._store is not None:
                await asyncio.to_thread(self._store.keep, record)
        for due in self._book.due():
            await self._make(due)
        self.problem = ""

    async def aclose(self) -> None:
        """Keep what is known, and close the files."""
        await self._guarded(self._keep_news)
        for file in (self._store, self._open_calls):
            if file is not None:
                file.close()

    async def _restore(self) -> None:
        if self._open_calls is not None:
            calls, events = await asyncio.to_thread(self._open_calls.load)
            self._book.restore(calls, events)

    async def _keep_news(self) -> None:
        if self._open_calls is None:
            return
        now = self._clock()
        calls, events = self._book.news(_AT_ONCE)
        if calls or events or now - self._alive_at >= _ALIVE:
            await asyncio.to_thread(self._open_calls.keep, calls, events)
            self._alive_at = now
        if now - self._pruned_at >= _PRUNE:
            self._pruned_at = now
            await asyncio.to_thread(self._open_calls.prune)
            if self._store is not None:
                await asyncio.to_thread(self._store.prune)

    async def _make(self, due: DueCall) -> None:
        """Make a record, if it is for this sentinel to make it."""
        record = self._book.record(due.call)
        if due.again:
            if self._store is not None:
                await asyncio.to_thread(self._store.amend, record)
            self._amended(record)
            self._book.made(due.call)
            return
        try:
            if self._claims is None:
                await self._keep(record)
            elif not await self._kept_once(self._claims, record):
                self._book.put_off(due.call, _AGAIN)
                return
        except (FleetUnavailableError, ClaimLostError) as error:
            logger.debug("the record of %s waits: %s", record.id, error)
            self._book.put_off(due.call, _AGAIN)
            return
        self._book.made(due.call)

    async def _kept_once(self, claims: Claims, record: CallRecord) -> bool:
        """Keep a record, unless another sentinel does; return whether it is kept by one of us."""
        answer = await claims.claim(f"{record.id}/{_DONE}", self._owner, _LEASE)
        if isinstance(answer, Refused):
            if answer.finished is not None and self._open_calls is not None:
                await asyncio.to_thread(self._open_calls.ended, record.id)
            return answer.finished is not None
        await self._keep(record)
        self._tell(record)
        await claims.release(answer, Outcome(_DONE, "kept", "the record was made"))
        return True

    async def _keep(self, record: CallRecord) -> None:
        store = self._store
        if store is None or await asyncio.to_thread(store.find, record.id) is None:
            await self._ended(record)  # first: after a crash in between it is made again
            if store is not None:
                await asyncio.to_thread(store.keep, record)
            self.made += 1
        if self._open_calls is not None:
            await asyncio.to_thread(self._open_calls.ended, record.id)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do a piece of work; a file that cannot be used now is used later, and told of."""
        try:
            await work()
        except JournalError as error:
            self.problem = str(error)
            if (now := self._clock()) - self._broken_at >= _QUIET:
                self._broken_at = now
                logger.error("call records are not kept: %s", error)  # noqa: TRY400 - no traceback helps
        except Exception:
            if (now := self._clock()) - self._broken_at >= _QUIET:
                self._broken_at = now
                logger.exception("call records could not be made, which is a bug; calls go on")

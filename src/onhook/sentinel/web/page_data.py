"""What each part of the page shows now, as frozen values: two that are equal look alike."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence

from onhook.errors import JournalError, OutageFileError
from onhook.outages import Outage
from onhook.sentinel.outage import OutageChange, OutageSwitch
from onhook.sentinel.parts import Parts
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.record_store import RecordStore
from onhook.sentinel.status import failing
from onhook.sentinel.web.call_rows import CallsNow, calls_now
from onhook.sentinel.web.incident_views import (
    IncidentView,
    incident_row,
    incident_view,
)
from onhook.sentinel.web.outage_rows import Outages, outage_row, outages_of
from onhook.sentinel.web.page_parts import Incidents, Plans, Strip, WorkersNow, canary_row
from onhook.sentinel.web.plan_rows import plan_rows
from onhook.sentinel.web.record_views import Records, record_row, sum_row, sum_rows
from onhook.sentinel.web.wording import Words
from onhook.sentinel.web.workers import Worker, Workers
from onhook.sinks.journal.case_file import Case
from onhook.sinks.journal.sqlite import SqliteJournal

__all__ = ["PageData"]

_MOST_CALLS = 200
"""Calls that are listed; of more, those that nobody looks after come first."""
_MOST_COUNTED = 500
"""Calls among which those in silence are counted, twice a second while somebody looks."""
_OPEN = 100
"""Newest incidents among which those without an end are looked for."""
_DAY = 86_400.0
_NEWEST = 50
_NO_PLACE = "there is no place for a file of call records: name one (ONHOOK_RECORDS=FILE)"


class PageData:
    """Reads what the page shows. What it reads of files it reads in threads.

    Args:
        parts: The sentinel's.
        workers: Knows how the workers are.
        mask: How numbers are shown; as `ONHOOK_NUMBERS` says when omitted.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        parts: Parts,
        workers: Workers,
        *,
        mask: NumberMask | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._parts = parts
        self._workers = workers
        self._wall = wall
        self.words = Words(NumberMask.from_env() if mask is None else mask, wall)
        # its own connections: nothing that is read here keeps a rescue from writing
        self._journal = SqliteJournal(parts.given.journal)
        store = parts.records.store
        self._records = None if store is None else RecordStore(store.path)
        self._offset = wall() - parts.clock()
        self._position = -1
        self._open: dict[str, str] = {}

    def strip(self) -> Strip:
        """Return what stands at the top."""
        now = self._parts.clock()
        uneasy = [*itertools.islice(self._parts.table.uneasy(now), _MOST_COUNTED)]
        silent = sum(view.alone_since is not None and not view.call.ringing for view in uneasy)
        rescues = len(self._parts.attendance.pool)
        return Strip(
            calls=len(self._parts.table),
            observe=self._parts.given.observe,
            failing=tuple(self.words.name(text) for text in failing(self._parts)),
            outages=tuple(outage_row(o, self.words) for o in self._parts.plans.outages),
            silent=silent,
            or_more=len(uneasy) == _MOST_COUNTED,
            rescues=rescues,
        )

    async def calls(self) -> CallsNow:
        """Return the calls of this moment."""
        await asyncio.to_thread(self._read_open)
        parts, now = self._parts, self._parts.clock()
        return calls_now(
            parts.table.uneasy(now),
            parts.table.views(now),
            self.words,
            total=len(parts.table),
            most=_MOST_CALLS,
            offset=self._offset,
            attended=parts.attendance.pool,
            incidents=self._open,
        )

    async def incidents(self, limit: int = _NEWEST) -> Incidents:
        """Return the newest incidents.

        Args:
            limit: How many.
        """
        try:
            cases = await asyncio.to_thread(self._cases, limit)
        except JournalError as error:
            return Incidents(problem=self.words.name(str(error)))
        return Incidents(tuple(incident_row(case, self.words) for case in cases))

    async def incident(self, incident: str) -> IncidentView | None:
        """Return one incident; `None` where there is none.

        Args:
            incident: Its id.

        Raises:
            JournalError: The journal cannot be read.
        """
        found = await asyncio.to_thread(self._case, incident)
        if found is None:
            return None
        case, record = found
        return incident_view(case, record, self.words, now=round(self._wall()))

    async def records(self) -> Records:
        """Return the records, and what they sum up to."""
        if self._records is None:
            return Records(problem=_NO_PLACE)
        try:
            return await asyncio.to_thread(self._read_records, self._records)
        except JournalError as error:
            return Records(problem=self.words.name(str(error)))

    async def workers(self) -> WorkersNow:
        """Return how the workers are, and what the canaries have found."""
        words = self.words
        workers = (
            Worker(
                address=words.name(one.address),
                agent=words.label(one.agent),
                jobs=one.jobs,
                load=one.load,
                version=words.name(one.version),
                problem=words.name(one.problem),
                asked_at=one.asked_at,
            )
            for one in self._workers.latest
        )
        canaries = sorted(self._parts.canaries.latest.items())
        return WorkersNow(
            tuple(workers),
            len(self._workers.addresses),
            tuple(canary_row(result, words) for _, result in canaries),
        )

    async def plans(self) -> Plans:
        """Return the plans in force."""
        plans, words = self._parts.plans, self.words
        file = self._parts.given.plans
        return Plans(
            plan_rows(plans.plans, words),
            "" if file is None else words.name(str(file)),
            words.text(plans.problem),
        )

    async def outages(self) -> Outages:
        """Return the outages that are on, and who turned the switch."""
        try:
            current, history = await asyncio.to_thread(self._read_outages)
        except OutageFileError as error:
            return Outages(problem=self.words.name(str(error)))
        return outages_of(current, history, self.words)

    def close(self) -> None:
        """Close the files."""
        self._journal.close()
        if self._records is not None:
            self._records.close()

    def _read_outages(self) -> tuple[tuple[Outage, ...], tuple[OutageChange, ...]]:
        switch = OutageSwitch(self._parts.given.outages)
        return switch.current(), switch.history()

    def _cases(self, limit: int) -> Sequence[Case]:
        ids = self._journal.incidents(limit)
        return [Case(found) for i in ids if (found := self._journal.entries(i))]

    def _case(self, incident: str) -> tuple[Case, CallRecord | None] | None:
        entries = self._journal.entries(incident)
        if not entries:
            return None
        record = None
        if self._records is not None:
            try:
                record = self._records.of_incident(incident)
            except JournalError:  # the page of records tells of it
                record = None
        return Case(entries), record

    def _read_open(self) -> None:
        """Find the incidents that have no end yet, where something was recorded since."""
        try:
            position, _ = self._journal.since(-1)
            if position == self._position:
                return
            cases = self._cases(_OPEN)
        except JournalError:  # the page of incidents tells of it
            return
        self._position = position
        self._open = {case.opening.room: case.id for case in cases if case.closed is None}

    def _read_records(self, records: RecordStore) -> Records:
        now, words = self._wall(), self.words
        spans = (("24 hours", now - _DAY), ("30 days", now - 30 * _DAY))
        return Records(
            totals=tuple((name, sum_row(records.total(since))) for name, since in spans),
            numbers=tuple(
                (name, sum_rows(records.sums(since, "number"), words.number))
                for name, since in spans
            ),
            agents=tuple(
                (name, sum_rows(records.sums(since, "agent"), words.label)) for name, since in spans
            ),
            newest=tuple(record_row(record, words) for record in records.newest(_NEWEST)),
        )

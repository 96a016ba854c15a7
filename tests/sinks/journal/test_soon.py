"""Entries that are written a moment later, in their order, and none twice."""

from __future__ import annotations

import asyncio

import pytest

from onhook.errors import JournalError
from onhook.sinks.journal import Entry, MemoryJournal, Soon, Step

pytestmark = pytest.mark.looptime

OPENED = Entry("inc", Step.OPENED, 0.0, "entrypoint.raised")
INTENT = Entry("inc", Step.INTENT, 0.0, "say")
RUNG = Entry("inc", Step.RUNG, 1.0, "say", "done")


async def test_what_comes_before_an_act_waits_for_a_moment() -> None:
    kept = MemoryJournal()
    soon = Soon(kept)
    soon.record(OPENED)
    soon.record(INTENT)
    assert list(kept.entries("inc")) == []
    await asyncio.sleep(0.01)
    assert list(kept.entries("inc")) == [OPENED, INTENT]
    soon.record(RUNG)
    assert list(kept.entries("inc")) == [OPENED, INTENT, RUNG]


async def test_an_outcome_is_written_at_once_with_all_before_it() -> None:
    kept = MemoryJournal()
    soon = Soon(kept)
    for entry in (OPENED, INTENT, RUNG):
        soon.record(entry)
    assert list(kept.entries("inc")) == [OPENED, INTENT, RUNG]
    await asyncio.sleep(0.01)
    assert len(kept.entries("inc")) == 3


async def test_who_reads_gets_all() -> None:
    soon = Soon(MemoryJournal())
    soon.record(OPENED)
    assert list(soon.entries("inc")) == [OPENED]
    soon.record(INTENT)
    assert list(soon.incidents(5)) == ["inc"]


async def test_a_journal_that_fails_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Full(MemoryJournal):
        def record(self, entry: Entry) -> None:
            raise JournalError("the disk is full")

    soon = Soon(Full())
    soon.record(OPENED)
    await asyncio.sleep(0.01)
    assert "could not be recorded" in caplog.text
    assert "the disk is full" in caplog.text
    with pytest.raises(JournalError, match="full"):
        soon.record(RUNG)

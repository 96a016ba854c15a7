from __future__ import annotations

import pytest

from onhook.errors import PolicyError
from onhook.sinks.journal import MemoryJournal
from tests.sinks.journal.contract import Journal, JournalContract, entry


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return MemoryJournal()


def test_it_keeps_the_newest() -> None:
    journal = MemoryJournal(limit=2)
    for number in range(3):
        journal.record(entry("one", at=float(number)))
    assert [e.at for e in journal.entries()] == [1.0, 2.0]


def test_a_journal_of_nothing_is_refused() -> None:
    with pytest.raises(PolicyError, match="limit=0"):
        MemoryJournal(limit=0)

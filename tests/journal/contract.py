"""What every journal must do, whatever it keeps its entries in."""

from __future__ import annotations

import pytest

from onhook.journal import Entry, Journal, Step


def entry(incident: str, step: Step = Step.INTENT, at: float = 0.0) -> Entry:
    return Entry(incident, step, at, "say")


class JournalContract:
    """Subclass it and give the fixture `journal`."""

    @pytest.fixture
    def journal(self) -> Journal:
        raise NotImplementedError  # the subclass has the back end

    def test_entries_come_back_in_order_and_by_incident(self, journal: Journal) -> None:
        for number in range(3):
            journal.record(entry("one", at=float(number)))
            journal.record(entry("two", at=float(number)))
        assert [e.at for e in journal.entries("one")] == [0.0, 1.0, 2.0]
        assert {e.incident for e in journal.entries("two")} == {"two"}

    def test_an_unknown_incident_has_no_entries(self, journal: Journal) -> None:
        assert list(journal.entries("none")) == []

    def test_an_entry_comes_back_as_it_was(self, journal: Journal) -> None:
        whole = Entry("one", Step.RUNG, 1.5, "hang_up", "done", "deleted the room")
        journal.record(whole)
        assert list(journal.entries("one")) == [whole]

"""What every journal must do, whatever it keeps its entries in."""

from __future__ import annotations

import pytest

from onhook.sinks.journal import Entry, Journal, Opening, Ring, Step


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
        assert list(journal.incidents(5)) == []

    def test_an_entry_comes_back_as_it_was(self, journal: Journal) -> None:
        opening = Opening(
            room="room",
            job="AJ_1",
            call_id="SCL_1",
            direction="inbound",
            severity="impaired",
            traceback="Traceback: broken at 'naïve'\n",
            evidence={"signal": "SIGKILL"},
        )
        told = [
            Entry("one", Step.OPENED, 1.25, "job.died", opening=opening, ring=Ring.WATCHDOG),
            Entry("one", Step.RUNG, 1.5, "hang_up", "done", "deleted the room", wall=1.7e9),
        ]
        for one in told:
            journal.record(one)
        assert list(journal.entries("one")) == told

    def test_the_newest_incidents_come_first_by_when_they_began(self, journal: Journal) -> None:
        for incident in ("one", "two", "three", "one"):
            journal.record(entry(incident))
        assert list(journal.incidents(5)) == ["three", "two", "one"]
        assert list(journal.incidents(2)) == ["three", "two"]

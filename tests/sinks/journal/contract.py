"""What every journal must do, whatever it keeps its entries in."""

from __future__ import annotations

import itertools
from typing import TypeAlias

import pytest

from onhook.call import Call
from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.ladder import Ladder
from onhook.rescue.events import Ring
from onhook.rungs import HangUp, Say
from onhook.sinks.journal import Entry, MemoryJournal, Opening, SqliteJournal, Step
from tests.rescue.telling import story

Journal: TypeAlias = MemoryJournal | SqliteJournal


_numbers = itertools.count()


def entry(incident: str, step: Step = Step.INTENT, at: float | None = None) -> Entry:
    return Entry(incident, step, float(next(_numbers)) if at is None else at, "say")


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

    def test_an_event_that_is_told_again_is_kept_once(self, journal: Journal) -> None:
        failure = Failure(Fault.JOB_DIED, "killed", 0.0)
        told = story(Incident(failure, Call("room"), "inc"), Ladder((Say(), HangUp())), (), "say")
        for event in (*told, *told):
            journal.handle(event)
        steps = [(e.step, e.subject, e.at) for e in journal.entries("inc")]
        assert steps == [(Step.OPENED, "job.died", 0.0), (Step.INTENT, "say", 0.0)]

    def test_the_newest_incidents_come_first_by_when_they_began(self, journal: Journal) -> None:
        for incident in ("one", "two", "three", "one"):
            journal.record(entry(incident))
        assert list(journal.incidents(5)) == ["three", "two", "one"]
        assert list(journal.incidents(2)) == ["three", "two"]

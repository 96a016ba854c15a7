"""The engine and the journal together: what is kept of a rescue, and a journal that fails."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from onhook.call import Call, Leg, LegKind, LineState
from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.rescue.engine import Engine
from onhook.rescue.events import Ring
from onhook.sinks.journal import SqliteJournal, Step
from tests.fakes import FakeLine

CALL = Call("room", (Leg("sip_1", LegKind.CALLER, LineState.ACTIVE, call_id="SCL_1"),), job="AJ_1")


def incident() -> Incident:
    failure = Failure(Fault.ENTRYPOINT_RAISED, "it broke", 1.0, RuntimeError("broken"))
    return Incident(failure, CALL)


async def test_a_rescue_can_be_read_later(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "incidents.db")
    happened = incident()
    await Engine(FakeLine(CALL), sinks=[journal], ring=Ring.WATCHDOG).handle(happened)
    journal.close()
    kept = SqliteJournal(tmp_path / "incidents.db")
    opened, *_, closed = kept.entries(happened.id)
    kept.close()
    assert (opened.step, opened.subject, opened.detail) == (
        Step.OPENED,
        "entrypoint.raised",
        "it broke",
    )
    assert opened.opening is not None
    assert opened.opening.call_id == "SCL_1"
    assert "RuntimeError: broken" in opened.opening.traceback
    assert (closed.step, closed.subject, closed.ring) == (Step.CLOSED, "released", Ring.WATCHDOG)


async def test_a_journal_that_fails_stops_no_rescue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"this is no database at all" * 100)
    line = FakeLine(CALL)
    with caplog.at_level(logging.ERROR, logger="onhook"):
        outcome = await Engine(line, sinks=[SqliteJournal(path)]).handle(incident())
    assert outcome.ending == "released"
    assert "the rescue goes on" in caplog.text
    assert "move it away" in caplog.text

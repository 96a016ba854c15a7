from __future__ import annotations

import pytest

from onhook.call import Call, Direction, Leg, LegKind
from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.ladder import Ladder
from onhook.rungs import HangUp
from onhook.sinks.journal import Opening
from tests.rescue.telling import opened

CALL = Call(
    "room",
    (Leg("sip_1", LegKind.CALLER, call_id="SCL_1"),),
    job="AJ_1",
    direction=Direction.INBOUND,
)


def opening(error: BaseException | None, traceback: str = "", **evidence: str) -> Opening:
    failure = Failure(Fault.ENTRYPOINT_RAISED, "d", 0.0, error, evidence, traceback=traceback)
    return Opening.of(opened(Incident(failure, CALL), Ladder((HangUp(),))))


def raised(message: str) -> BaseException:
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        return error


def test_it_has_what_a_person_needs_later() -> None:
    got = opening(raised("broken"), reason="job crashed")
    assert (got.room, got.job, got.call_id) == ("room", "AJ_1", "SCL_1")
    assert (got.direction, got.severity) == ("inbound", "lost")
    assert got.traceback.startswith("Traceback (most recent call last):")
    assert got.traceback.endswith("RuntimeError: broken\n")
    assert got.evidence == {"reason": "job crashed"}


def test_no_error_has_no_traceback() -> None:
    assert opening(None).traceback == ""


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    text = opening(raised("x" * 100_000 + "end")).traceback
    assert len(text) < 17_000
    assert text.startswith("Traceback")
    assert "characters left out" in text
    assert text.endswith("end\n")


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "hidden-hidden")
    got = opening(raised("with hidden-hidden"), header="hidden-hidden")
    assert "hidden-hidden" not in f"{got}"


def test_a_traceback_that_was_told_by_a_process_that_is_gone() -> None:
    got = opening(None, traceback="Traceback: of the job", signal="SIGKILL")
    assert got.traceback == "Traceback: of the job"
    assert got.evidence == {"signal": "SIGKILL"}

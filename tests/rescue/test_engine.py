from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from onhook.call import Call, LineState
from onhook.errors import OnhookError
from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident, Outcome, Result, RungReport
from onhook.ladder import Ladder
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Climbed, Closed, Intent, Opened
from onhook.rungs import DeleteRoom, HangUp, Keep, RemoveCallers, Say
from onhook.sinks import LoggingObserver, ObserverSink
from tests.fakes import FakeLine, agent, call_of, caller, done, fails, hangs, human, refused, takes
from tests.rescue.telling import Kept

pytestmark = pytest.mark.looptime

ERROR = RuntimeError("the customer database is down")


def incident(call: Call, fault: Fault = Fault.ENTRYPOINT_RAISED, **evidence: str) -> Incident:
    return Incident(Failure(fault, "it broke", 0.0, ERROR, evidence), call)


def engine(line: FakeLine, policy: Policy | None = None, **more: object) -> Engine:
    clock = asyncio.get_running_loop().time
    return Engine(line, policy=policy, clock=clock, jitter=lambda: 1.0, **more)  # type: ignore[arg-type]


def results(outcome: Outcome) -> list[tuple[str, Result]]:
    return [(report.rung, report.result) for report in outcome.reports]


async def test_says_then_hangs_up() -> None:
    line = FakeLine(call_of(caller()))
    outcome = await engine(line).handle(incident(line.call))
    assert outcome.ending == "released"
    assert line.asked == ["say", "delete"]
    assert results(outcome) == [("say", Result.DONE), ("hang_up", Result.DONE)]


async def test_with_a_human_there_only_the_callers_go() -> None:
    line = FakeLine(call_of(caller(), caller(LineState.RINGING, "sip_2"), human()))
    outcome = await engine(line).handle(incident(line.call))
    assert sorted(line.asked) == ["remove sip_1", "remove sip_2", "say"]
    assert outcome.ending == "released"
    assert line.call.humans


@pytest.mark.parametrize("failing", [fails(RuntimeError("no TTS")), hangs])
async def test_words_that_fail_never_block_the_release(failing: object) -> None:
    line = FakeLine(call_of(caller()), says=[failing])  # type: ignore[list-item]
    policy = Policy(lost=[Say(deadline=2.0), HangUp()])
    outcome = await engine(line, policy).handle(incident(line.call))
    assert outcome.ending == "released"
    assert outcome.reports[0].result in (Result.FAILED, Result.TIMED_OUT)
    assert asyncio.get_running_loop().time() <= 2.0


async def test_a_passing_failure_is_retried_with_growing_pauses() -> None:
    loop = asyncio.get_running_loop()
    internal = fails(refused("internal", passing=True))
    line = FakeLine(call_of(caller()), deletions=[internal, internal, done])
    outcome = await engine(line, Policy(lost=[HangUp()])).handle(incident(line.call))
    assert outcome.ending == "released"
    assert line.asked == ["delete"] * 3
    assert loop.time() == pytest.approx(0.1 + 0.2)


async def test_a_refusal_for_good_is_not_retried_and_removal_is_tried_instead() -> None:
    line = FakeLine(call_of(caller()), deletions=[fails(refused())])
    outcome = await engine(line, Policy(lost=[HangUp()])).handle(incident(line.call))
    assert outcome.ending == "released"
    assert line.asked == ["delete", "remove sip_1"]
    assert "could not be deleted" in outcome.detail


async def test_what_cannot_be_released_is_handed_outward_with_the_reason() -> None:
    refusal = fails(refused())
    line = FakeLine(call_of(caller()), deletions=[refusal], removals=[refusal])
    outcome = await engine(line, Policy(lost=[HangUp()])).handle(incident(line.call))
    assert outcome.ending == "handed_outward"
    assert not outcome.safe
    assert outcome.failure is not None
    assert outcome.failure.fault is Fault.CLEANUP_FAILED
    assert "unauthenticated" in outcome.detail


@pytest.mark.parametrize("failing", [hangs, fails(refused("internal", passing=True))])
async def test_a_cleanup_that_never_works_ends_at_its_deadline(failing: object) -> None:
    line = FakeLine(call_of(caller()), deletions=[failing])  # type: ignore[list-item]
    outcome = await engine(line, Policy(lost=[DeleteRoom(deadline=3.0)])).handle(
        incident(line.call)
    )
    assert outcome.ending == "handed_outward"
    assert outcome.reports[-1].result is Result.TIMED_OUT
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)


async def test_callers_who_have_left_meanwhile_need_nothing() -> None:
    line = FakeLine(call_of(caller()))

    async def caller_hangs_up() -> None:
        line.call = call_of()

    line.says = [caller_hangs_up]
    outcome = await engine(line).handle(incident(line.call))
    assert outcome.ending == "released"
    assert line.asked == ["say"]


async def test_who_joins_during_the_words_keeps_the_call() -> None:
    line = FakeLine(call_of(caller()))

    async def colleague_joins() -> None:
        line.join(human("colleague"))

    line.says = [colleague_joins]
    outcome = await engine(line).handle(incident(line.call))
    assert outcome.ending == "taken_over"
    assert line.asked == ["say"]
    assert "colleague" in outcome.detail


async def test_a_scribe_that_joins_during_the_words_keeps_no_caller_waiting() -> None:
    line = FakeLine(call_of(caller()))

    async def scribe_joins() -> None:
        line.join(agent("scribe"))

    line.says = [scribe_joins]
    outcome = await engine(line).handle(incident(line.call))
    assert outcome.ending == "released"


async def test_keep_does_nothing_and_says_so() -> None:
    line = FakeLine(call_of(caller()))
    policy = Policy(lost=[Keep("another system owns this line")])
    outcome = await engine(line, policy).handle(incident(line.call))
    assert outcome.ending == "kept"
    assert line.asked == []
    assert "another system" in outcome.detail


async def test_a_call_that_cannot_be_seen_is_not_released_blindly() -> None:
    seen = call_of(caller(), human())
    line = FakeLine(seen, pictures=[fails(refused("internal", passing=True)), done])
    unseen = replace(seen, legs=(), complete=False)
    outcome = await engine(line, Policy(lost=[HangUp()])).handle(incident(unseen))
    assert outcome.ending == "released"
    assert line.asked == ["remove sip_1"], "the colleague in the room was seen in time"


async def test_a_picture_that_hangs_costs_one_api_timeout() -> None:
    line = FakeLine(call_of(caller()), pictures=[hangs, done])
    outcome = await engine(line, Policy(lost=[HangUp()], api_timeout=1.5)).handle(
        incident(line.call)
    )
    assert outcome.ending == "released"
    assert asyncio.get_running_loop().time() == pytest.approx(1.5)


async def test_cancelled_during_the_words_it_releases_the_line_first() -> None:
    line = FakeLine(call_of(caller()), says=[takes(10)])
    rescuer = engine(line)
    task = asyncio.create_task(rescuer.handle(incident(line.call)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rescuer.outcome is not None
    assert rescuer.outcome.ending == "released"
    assert results(rescuer.outcome)[0] == ("say", Result.CANCELLED)
    assert line.asked == ["say", "delete"]
    assert asyncio.get_running_loop().time() == pytest.approx(1)


@pytest.mark.parametrize("soft", [[Say(), HangUp()], Ladder((Say(), HangUp())), Ladder((Say(),))])
async def test_a_soft_ladder_that_is_cancelled_stops_and_leaves_the_call(soft: Ladder) -> None:
    line = FakeLine(call_of(caller()), says=[takes(10)])
    rescuer = engine(line, Policy(impaired=soft))
    failure = Failure(Fault.LLM_STALLED, "it hangs", 0.0, severity=Severity.IMPAIRED)
    task = asyncio.create_task(rescuer.handle(Incident(failure, line.call)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert line.asked == ["say"]
    assert rescuer.outcome is not None
    assert rescuer.outcome.ending == "kept"
    assert rescuer.outcome.detail == "stopped: the agent is heard again"


async def test_cancelled_while_the_server_hangs_it_gives_up_after_the_grace() -> None:
    line = FakeLine(call_of(caller()), deletions=[hangs])
    rescuer = engine(line, Policy(lost=[HangUp()], cancel_grace=2.0))
    task = asyncio.create_task(rescuer.handle(incident(line.call)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rescuer.outcome is not None
    assert rescuer.outcome.ending == "handed_outward"
    assert asyncio.get_running_loop().time() == pytest.approx(3)


async def test_cancelled_twice_it_hands_outward_at_once() -> None:
    line = FakeLine(call_of(caller()), says=[takes(10)], deletions=[hangs])
    rescuer = engine(line)
    task = asyncio.create_task(rescuer.handle(incident(line.call)))
    for _ in range(2):
        await asyncio.sleep(1)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rescuer.outcome is not None
    assert rescuer.outcome.ending == "handed_outward"
    assert asyncio.get_running_loop().time() == pytest.approx(2)


async def test_an_exit_during_the_words_goes_on_once_the_line_is_released() -> None:
    line = FakeLine(call_of(caller()), says=[fails(SystemExit(3))])
    rescuer = engine(line)
    with pytest.raises(SystemExit):
        await rescuer.handle(incident(line.call))
    assert rescuer.outcome is not None
    assert rescuer.outcome.ending == "released"


async def test_intent_is_written_before_and_outcome_after_each_rung() -> None:
    kept = Kept()
    line = FakeLine(call_of(caller()))

    async def look() -> None:
        assert kept.kinds[-1] is Intent

    line.says = [look]
    line.deletions = [look]
    outcome = await engine(line, sinks=[kept]).handle(incident(line.call))
    assert outcome.reports[0].result is Result.DONE, outcome
    assert kept.kinds == [Opened, Intent, Climbed, Intent, Climbed, Closed]
    assert tuple(e.report for e in kept.events if isinstance(e, Climbed)) == outcome.reports


async def test_an_engine_handles_one_incident() -> None:
    line = FakeLine(call_of(caller()))
    rescuer = engine(line)
    await rescuer.handle(incident(line.call))
    with pytest.raises(OnhookError, match="one incident"):
        await rescuer.handle(incident(line.call))


class Rude:
    """Raises whatever it is told."""

    def opened(self, incident: Incident) -> None:
        raise RuntimeError("rude")

    def intent(self, incident: Incident, rung: str) -> None:
        raise RuntimeError("rude")

    def climbed(self, incident: Incident, report: RungReport) -> None:
        raise RuntimeError("rude")

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        raise RuntimeError("rude")


async def test_an_observer_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    line = FakeLine(call_of(caller()))
    watch = [ObserverSink(Rude()), ObserverSink(LoggingObserver())]
    with caplog.at_level(logging.DEBUG, "onhook"):
        outcome = await engine(line, sinks=watch).handle(incident(line.call))
    assert outcome.ending == "released"
    assert "released" in caplog.text


class Polite:
    """Keeps what an observer is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def opened(self, incident: Incident) -> None:
        self.told.append(incident)

    def intent(self, incident: Incident, rung: str) -> None:
        self.told.append(rung)

    def climbed(self, incident: Incident, report: RungReport) -> None:
        self.told.append(report)

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        self.told.append(outcome)


async def test_an_observer_is_told_the_incident_each_rung_and_the_very_outcome() -> None:
    refusal = fails(refused())
    line = FakeLine(call_of(caller()), deletions=[refusal], removals=[refusal])
    polite, happened = Polite(), incident(line.call)
    outcome = await engine(line, sinks=[ObserverSink(polite)]).handle(happened)
    said, hung_up = outcome.reports
    assert outcome.failure is not None
    assert polite.told == [happened, "say", said, "hang_up", hung_up, outcome]


async def test_the_original_error_is_logged_with_all_ids_before_anything_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = FakeLine(call_of(caller()))

    async def look() -> None:
        first = caplog.records[0]
        assert first.exc_info is not None
        assert first.exc_info[1] is ERROR
        for word in (happened.id, "call-1", "AJ_1", "SCL_1", "entrypoint.raised"):
            assert word in first.getMessage()

    line.says = [look]
    happened = incident(line.call)
    with caplog.at_level(logging.INFO, "onhook"):
        outcome = await engine(line, sinks=[ObserverSink(LoggingObserver())]).handle(happened)
    assert outcome.reports[0].result is Result.DONE, outcome.reports[0].detail
    fields = vars(caplog.records[-1])
    assert fields["onhook_incident"] == happened.id
    assert fields["onhook_ending"] == "released"


async def test_remove_callers_takes_nobody_else() -> None:
    line = FakeLine(call_of(caller()))
    outcome = await engine(line, Policy(lost=[RemoveCallers()])).handle(incident(line.call))
    assert outcome.ending == "released"
    assert line.asked == ["remove sip_1"]
    assert line.call.legs

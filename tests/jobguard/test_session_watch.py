"""What a session tells becomes a failure, with the clock in the test's hands."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit.agents import (
    CloseEvent,
    CloseReason,
    ErrorEvent,
)
from livekit.agents.tts import TTSError

from onhook.faults import Fault, Severity
from onhook.jobguard.detectors import session_watch
from onhook.jobguard.detectors.session_view import JobView, LineView
from onhook.jobguard.detectors.session_watch import SessionWatch
from onhook.jobguard.silence.utterances import Utterance
from onhook.policy import Policy
from tests.jobguard import fakes
from tests.jobguard.fakes import FakeSession

pytestmark = pytest.mark.looptime

LIMIT = 6.0


def watch_of(session: FakeSession, dead_air: float | None = LIMIT) -> SessionWatch:
    clock = asyncio.get_running_loop().time
    policy = Policy(dead_air=dead_air, tool_limit=30.0)
    return SessionWatch(cast(Any, session), policy, clock)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_silence_is_a_failed_turn_and_lasting_silence_a_lost_agent() -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        session.takes_turn()
        asked = now()
        first = await watch.failure()
        assert (first.fault, first.severity) == (Fault.LLM_STALLED, Severity.IMPAIRED)
        assert first.at - asked == pytest.approx(LIMIT, abs=0.01)
        second = await watch.failure()
        assert (second.fault, second.severity) == (Fault.LLM_STALLED, Severity.LOST)
        assert second.at - first.at == pytest.approx(15.0, abs=0.01)
        assert "15 s have passed" in second.evidence["line"]


async def test_a_caller_who_speaks_again_into_silence_is_waited_for_no_longer() -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        session.takes_turn()
        await watch.failure()
        failing = asyncio.create_task(watch.failure())
        await asyncio.sleep(1)
        began = now()
        await asyncio.sleep(2)
        watch.conversation.caller_said(Utterance(began, now(), 2.0, -20.0))
        again = now()
        failure = await failing
        assert failure.severity is Severity.LOST
        assert "spoke again" in failure.evidence["line"]
        assert failure.at - again == pytest.approx(LIMIT, abs=0.01)


@pytest.mark.parametrize(
    ("deaf", "severity"), [(False, Severity.IMPAIRED), (True, Severity.LOST)], ids=["mute", "deaf"]
)
async def test_words_are_tried_where_the_caller_may_hear_them(
    deaf: bool, severity: Severity
) -> None:
    session = FakeSession()
    line = LineView(unheard="nothing of it arrives", deaf=deaf)
    clock = asyncio.get_running_loop().time
    with SessionWatch(cast(Any, session), Policy(), clock, lambda: line) as watch:
        reply, asked = session.takes_turn(), now()
        watch.conversation.debts.model_answered()
        await session.sends()
        session.output.audio.flush()
        reply.ends()
        failure = await watch.failure()
        assert (failure.fault, failure.severity) == (Fault.AUDIO_UNHEARD, severity)
        assert failure.at - asked == pytest.approx(LIMIT, abs=0.6)
        assert ("line" in failure.evidence) is deaf


async def test_a_deaf_leg_says_nothing_of_an_agent_that_has_not_answered() -> None:
    session = FakeSession()
    line = LineView(unheard="its leg may not subscribe", deaf=True)
    clock = asyncio.get_running_loop().time
    with SessionWatch(cast(Any, session), Policy(), clock, lambda: line) as watch:
        session.takes_turn()
        failure = await watch.failure()
        assert (failure.fault, failure.severity) == (Fault.LLM_STALLED, Severity.IMPAIRED)


@pytest.mark.parametrize("told", [True, False], ids=["by its event", "by its task"])
async def test_a_tool_that_still_runs_gets_its_own_limit(
    told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not told:  # as before livekit-agents 1.6.5
        monkeypatch.setattr(fakes, "tells_of_tools", lambda: False)
        monkeypatch.setattr(session_watch, "tells_of_tools", lambda: False)
    session = FakeSession()
    with watch_of(session) as watch:
        reply = session.takes_turn()
        asked = now()
        session.calls_tool("book", reply)
        assert (await watch.failure()).severity is Severity.IMPAIRED
        failure = await watch.failure()
        assert (failure.fault, failure.severity) == (Fault.TURN_STUCK, Severity.LOST)
        assert "book" in failure.detail
        assert failure.at - asked == pytest.approx(30.0, abs=0.01)


async def test_without_an_event_the_end_of_a_tool_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fakes, "tells_of_tools", lambda: False)
    monkeypatch.setattr(session_watch, "tells_of_tools", lambda: False)
    session = FakeSession()
    with watch_of(session) as watch:
        session.calls_tool("book", session.takes_turn())
        failing = asyncio.create_task(watch.failure())
        await asyncio.sleep(1)
        assert watch.conversation.debts.tools == {"book": "book"}
        session.tool.cancel()
        await asyncio.sleep(0.5)
        assert watch.conversation.debts.tools == {}
        over = now()
        failure = await failing
        assert failure.severity is Severity.IMPAIRED
        assert failure.at - over == pytest.approx(LIMIT, abs=0.5)


@pytest.mark.parametrize("told", [False, True])
async def test_after_a_hold_without_words_the_agent_has_its_whole_time(told: bool) -> None:
    """The caller has heard music from elsewhere, longer than any silence may last."""
    session = FakeSession()
    with watch_of(session) as watch:
        session.calls_tool("fetch_ann", session.takes_turn())
        if told:
            await session.sends()
            session.output.audio.flush()
        let_go = watch.conversation.hold(object(), now() + 120)
        failing = asyncio.create_task(watch.failure())
        await asyncio.sleep(60)
        let_go()
        held_until = now()
        failure = await failing
        assert failure.severity is Severity.IMPAIRED
        assert failure.at - held_until == pytest.approx(30.0 if told else LIMIT, abs=0.01)


async def test_an_agent_that_is_heard_again_has_recovered() -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        reply = session.takes_turn()
        await watch.failure()
        heard = asyncio.create_task(watch.settled())
        await asyncio.sleep(0.1)
        await session.sends()
        session.output.audio.flush()
        reply.ends()
        await asyncio.wait_for(heard, 10)
        session.takes_turn()
        assert (await watch.failure()).severity is Severity.IMPAIRED


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("thinking", Fault.LLM_STALLED),
        ("empty", Fault.LLM_EMPTY),
        ("zeros", Fault.TTS_MUTE),
        ("error", Fault.TTS_FAILED),
    ],
)
async def test_the_silence_is_named_after_what_the_agent_does(what: str, fault: Fault) -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        reply = session.takes_turn()
        await asyncio.sleep(0.5)
        if what == "zeros":
            await session.sends(audible=False)
        if what == "error":
            error = TTSError(timestamp=0, label="tts", error=OSError("gone"), recoverable=False)
            session.emit("error", ErrorEvent(error=error, source=session))
        if what != "thinking":
            reply.ends()
            session.becomes("listening")
        failure = await watch.failure()
        assert (failure.fault, failure.severity) == (fault, Severity.IMPAIRED)


async def test_every_frame_goes_on_to_the_speaker() -> None:
    session = FakeSession()
    speaker = session.output.audio
    with watch_of(session):
        for _ in range(3):
            await session.sends()
        assert speaker.frames == 3


async def test_no_meter_is_put_into_the_middle_of_a_sentence() -> None:
    session = FakeSession()
    session.agent_state = "speaking"
    speaker = session.output.audio
    with watch_of(session):
        assert session.output.audio is speaker
        session.becomes("listening")
        assert session.output.audio is not speaker


async def nothing_happens(watch: SessionWatch, seconds: float = 3600) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.failure(), seconds)


async def test_nothing_is_a_fault_without_a_limit_or_a_turn() -> None:
    session = FakeSession()
    with watch_of(session, dead_air=None) as watch:
        session.takes_turn()
        await nothing_happens(watch)
    session = FakeSession()
    with watch_of(session) as watch:
        session.caller_says()
        await nothing_happens(watch)


@pytest.mark.parametrize("holds", ["output disabled", "no output", "machine detection"])
async def test_a_call_that_the_developer_holds_is_left_alone(holds: str) -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        session.takes_turn()
        if holds == "output disabled":
            session.output.audio_enabled = False
        elif holds == "no output":
            session.output.audio = None
        else:
            session.amd = SimpleNamespace()
        await nothing_happens(watch)
        session.output.audio_enabled, session.amd = True, None
        if holds != "no output":
            held_until = now()
            failure = await watch.failure()
            assert failure.at - held_until == pytest.approx(LIMIT, abs=0.6)


async def test_one_error_of_a_provider_ends_nothing() -> None:
    session = FakeSession()
    error = TTSError(timestamp=0, label="tts", error=OSError("gone"), recoverable=False)
    with watch_of(session) as watch:
        session.emit("error", ErrorEvent(error=error, source=session))
        await nothing_happens(watch, 60)


async def test_before_the_line_is_answered_nothing_is_owed() -> None:
    session, line = FakeSession(), [LineView(answered=False, outbound=True)]
    clock = asyncio.get_running_loop().time
    with SessionWatch(cast(Any, session), Policy(), clock, lambda: line[0]) as watch:
        session.begins()
        await nothing_happens(watch, 60)
        line[0] = LineView(outbound=True)
        answered = now()
        failure = await watch.failure()
        assert failure.at - answered == pytest.approx(LIMIT, abs=0.6)


async def test_what_was_judged_can_be_read() -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        session.takes_turn()
        failing = asyncio.create_task(watch.failure())
        await asyncio.sleep(1)
        told = watch.explain()
        assert "Now: agent owes an answer: a reply was begun" in told
        assert "1.0 s ago: an answer became due" in told
        assert "judged impaired in 5.0 s if nothing is heard of the agent (dead_air = 6 s)" in told
        evidence = (await failing).evidence
        assert evidence["limit"] == "dead_air = 6 s"
        assert "6.0 s before: an answer became due, of which nothing was heard" in evidence["seen"]
        assert "agent owes an answer" in evidence["states"].splitlines()[-1]
        assert evidence["agent"] == "thinking"
        assert "judged lost in 15.0 s" in watch.explain()
        assert "or 6 s after the caller has spoken again" in watch.explain()
        assert (await watch.failure()).evidence["limit"] == "give_up = 15 s after the words"


@pytest.mark.parametrize("reason", list(CloseReason))
async def test_a_session_that_closed_is_a_fault_also_without_an_error(reason: CloseReason) -> None:
    session = FakeSession()
    with watch_of(session) as watch:
        session.emit("close", CloseEvent(reason=reason))
        failure = await asyncio.wait_for(watch.failure(), 1.0)
        assert failure.severity is Severity.LOST
        if reason is CloseReason.ERROR:
            assert failure.fault is Fault.SESSION_CLOSED
        else:
            by = "line" if reason is CloseReason.PARTICIPANT_DISCONNECTED else "agent"
            assert (failure.fault, failure.evidence["by"]) == (Fault.SESSION_ENDED, by)


def ending(session: FakeSession, job: JobView) -> SessionWatch:
    clock = asyncio.get_running_loop().time
    return SessionWatch(cast(Any, session), Policy(), clock, job=lambda: job)


async def test_an_agent_has_left_once_its_last_words_are_over_and_not_when_all_is_closed() -> None:
    session = FakeSession()
    with ending(session, JobView()) as watch:
        goodbye = session.begins("say")
        session._closing_task = object()
        failing = asyncio.create_task(watch.failure())
        await asyncio.sleep(3)
        await session.sends()
        session.output.audio.flush()
        goodbye.ends()
        over = now()
        assert (await failing).fault is Fault.SESSION_ENDED
        assert now() - over < 1.0


@pytest.mark.parametrize(
    ("job", "seconds", "fault"),
    [
        (JobView(entrypoint_runs=True), LIMIT, Fault.SESSION_ENDED),
        (JobView(shutdown="job ended"), 0.5, Fault.AGENT_SHUTDOWN),
        (JobView(entrypoint_runs=True, shutdown="drain"), 0.5, Fault.AGENT_SHUTDOWN),
        (JobView(other_session_runs=True), None, None),
    ],
)
async def test_what_goes_on_without_the_session_is_waited_for(
    job: JobView, seconds: float | None, fault: Fault | None
) -> None:
    session = FakeSession()
    with ending(session, job) as watch:
        session._closing_task = object()
        if seconds is None:
            await nothing_happens(watch)
            return
        began = now()
        assert (await watch.failure()).fault is fault
        assert now() - began == pytest.approx(seconds, abs=0.3)


async def test_who_is_ended_by_the_worker_has_left_although_the_entrypoint_runs_on() -> None:
    """One that ends its own job may say goodbye; one that was removed is another rescuer's."""
    session = FakeSession()
    for reason in ("the call is over", "room disconnected"):
        with ending(session, JobView(entrypoint_runs=True, shutdown=reason)) as watch:
            await nothing_happens(watch)
    with ending(
        session, JobView(entrypoint_runs=True, shutdown="parent process shutdown")
    ) as watch:
        goodbye = session.begins("say")
        failing = asyncio.create_task(watch.failure())
        await asyncio.sleep(3)
        assert not failing.done()
        await session.sends()
        session.output.audio.flush()
        goodbye.ends()
        over = now()
        assert (await failing).fault is Fault.AGENT_SHUTDOWN
        assert now() - over < 1.0


async def test_handlers_of_the_developer_that_raise_disturb_nothing() -> None:
    session = FakeSession()

    def broken(_: object) -> None:
        raise RuntimeError("a handler of the developer's")

    session.on("user_input_transcribed", broken)
    with watch_of(session) as watch:
        session.takes_turn()
        assert (await watch.failure()).severity is Severity.IMPAIRED


async def test_leaving_takes_every_handler_away() -> None:
    session = FakeSession()
    with watch_of(session):
        pass
    assert not any(session._events.values())


async def test_handlers_of_the_developers_that_raise_do_not_stop_the_watch() -> None:
    session = FakeSession()

    def broken(_: object) -> None:
        raise RuntimeError("a bug in the agent's own handler")

    for event in ("user_input_transcribed", "user_state_changed", "agent_state_changed"):
        session.on(event, broken)
    with watch_of(session) as watch:
        session.takes_turn()
        assert (await watch.failure()).fault is Fault.LLM_STALLED

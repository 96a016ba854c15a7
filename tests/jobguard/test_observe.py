"""Observe mode: the same judgements as in act mode, in the same words, and nothing done."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from livekit.agents import CloseEvent, CloseReason, JobContext

import onhook
from onhook.call import LineState
from onhook.errors import ConfigurationError, DecorationError
from onhook.incident import Mode
from onhook.jobguard import agent_api, switch
from onhook.policy import Policy
from onhook.sinks.journal import MemoryJournal, Step
from tests.fakes import FakeLine, call_of, caller
from tests.jobguard.fakes import FakeSession, answered_room
from tests.jobguard.guarded import Guarded, raising, returns, waits

pytestmark = pytest.mark.looptime


def endings(guarded: Guarded) -> list[str]:
    return [outcome.ending for outcome in guarded.watch.outcomes]


@pytest.mark.parametrize("reraise", [True, False])
async def test_an_exception_goes_on_and_the_caller_is_left(reraise: bool) -> None:
    line, journal = FakeLine(call_of(caller())), MemoryJournal()
    guarded = Guarded(line, journal=journal, mode="observe")
    original = RuntimeError("the customer database is down")
    with pytest.raises(RuntimeError) as caught:
        await guarded.start(raising(original), reraise=reraise)
    assert caught.value is original
    await guarded.job.end("job crashed")
    assert guarded.watch.faults == ["entrypoint.raised"]
    assert line.asked == []
    assert guarded.job.shutdowns == []
    assert [entry.step for entry in journal.entries()] == [Step.OPENED, Step.CLOSED]
    closed = journal.entries()[-1]
    assert closed.subject == "observed"
    assert closed.detail == "in act mode this would have been done: say, hang_up"


async def test_a_stalled_entrypoint_goes_on() -> None:
    line = FakeLine(call_of(caller(LineState.RINGING)))
    guarded = Guarded(line, Policy(setup=4.0), mode="observe")
    task = guarded.start(waits)
    await asyncio.sleep(60.0)
    assert guarded.watch.faults == ["entrypoint.stalled"]
    assert endings(guarded) == ["observed"]
    assert not task.done()
    assert line.asked == guarded.job.shutdowns == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await guarded.job.end()


async def conversing(
    mode: Mode, line: FakeLine, journal: MemoryJournal | None = None
) -> tuple[Guarded, FakeSession]:
    policy = Policy(dead_air=4.0)
    guarded = Guarded(line, policy, journal, room=answered_room(), mode=mode)
    session = guarded.job.session = FakeSession()
    guarded.start(returns)
    await asyncio.sleep(9.0)
    return guarded, session


async def test_a_lasting_silence_is_judged_as_in_act_mode_and_the_job_goes_on() -> None:
    judged: dict[Mode, list[str]] = {}
    modes: tuple[Mode, ...] = ("act", "observe")
    for mode in modes:
        line = FakeLine(call_of(caller()))
        guarded, session = await conversing(mode, line)
        session.takes_turn()
        await asyncio.sleep(4.0 + 15.0 + 0.5)
        judged[mode] = guarded.watch.faults
        if mode == "observe":
            assert line.asked == guarded.job.shutdowns == []
            assert endings(guarded) == ["observed", "observed"]
            words, end = (outcome.detail for outcome in guarded.watch.outcomes)
            assert words.endswith("say, keep")
            assert end.endswith("say, hang_up")
        await guarded.job.end()
        assert guarded.watch.faults == judged[mode], "one end is judged once"
    assert judged["act"] == judged["observe"] == ["llm.stalled", "llm.stalled"]


async def test_a_turn_that_heals_is_judged_no_further() -> None:
    line = FakeLine(call_of(caller()))
    guarded, session = await conversing("observe", line)
    reply = session.takes_turn()
    await asyncio.sleep(5.0)
    await session.sends()
    session.output.audio.flush()
    reply.ends()
    session.becomes("listening")
    await asyncio.sleep(60.0)
    assert guarded.watch.faults == ["llm.stalled"]
    await guarded.job.end("agent is done")


async def test_an_agent_that_is_heard_after_its_call_was_judged_lost_is_told_of() -> None:
    journal = MemoryJournal()
    line = FakeLine(call_of(caller()))
    guarded, session = await conversing("observe", line, journal)
    reply = session.takes_turn()
    await asyncio.sleep(25.0)
    assert endings(guarded) == ["observed", "observed"]
    await session.sends()
    session.output.audio.flush()
    reply.ends()
    await asyncio.sleep(1.0)
    last = journal.entries()[-1]
    assert (last.step, last.subject, last.result) == (Step.CLOSED, "observed", "recovered")
    assert "say, hang_up; the agent was heard again 6." in last.detail
    await guarded.job.end()


async def test_what_the_agent_itself_asks_for_is_still_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = FakeLine(call_of(caller()))
    guarded, session = await conversing("observe", line)
    monkeypatch.setattr(agent_api, "get_job_context", lambda **_: guarded.job.ctx)
    session.takes_turn()
    await asyncio.sleep(25.0)
    assert endings(guarded) == ["observed", "observed"]
    assert line.asked == []
    async with agent_api.busy("I am checking.", every=8.0, after=1.5):
        await asyncio.sleep(10.0)
        assert line.asked == ["say", "say"]
    await guarded.job.end()


async def test_a_session_that_closed_is_observed_and_its_job_is_not_ended() -> None:
    line = FakeLine(call_of(caller()))
    guarded, session = await conversing("observe", line)
    session.emit("close", CloseEvent(reason=CloseReason.ERROR))
    await asyncio.sleep(5.0)
    assert guarded.watch.faults == ["session.closed"]
    assert line.asked == guarded.job.shutdowns == []
    await guarded.job.end()


async def test_what_would_have_been_left_alone_ends_as_in_act_mode() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, Policy(lost=[onhook.Keep("another system owns it")]), mode="observe")
    with pytest.raises(RuntimeError):
        await guarded.start(raising(RuntimeError("x")))
    assert endings(guarded) == ["kept"]
    await guarded.job.end("job crashed")


async def test_nothing_is_rendered_with_the_session_s_voice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered: list[str] = []

    async def prepare(text: str, *_: object, **__: object) -> None:
        rendered.append(text)

    line = FakeLine(call_of(caller()))
    modes: tuple[Mode, ...] = ("act", "observe")
    for mode in modes:
        rendered.clear()
        guarded = Guarded(line, room=answered_room(), mode=mode)
        monkeypatch.setattr(guarded.guard.renderings, "prepare", prepare)
        monkeypatch.setattr(guarded.guard, "voice", object)
        guarded.job.session = FakeSession()
        guarded.start(returns)
        await asyncio.sleep(2.0)
        assert bool(rendered) is (mode == "act")
        await guarded.job.end()


# -- which mode it is


@onhook.guard(mode="observe")
async def observed(ctx: JobContext) -> None:
    """An entrypoint."""


def test_the_mode_survives_the_way_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(observed))._options.mode == "observe"  # noqa: S301


@pytest.mark.parametrize(
    ("variable", "given", "mode"),
    [
        ("", "observe", "observe"),
        ("observe", "act", "observe"),
        (" Observe ", "act", "observe"),
        ("act", "observe", "act"),
    ],
)
def test_the_environment_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch, variable: str, given: Mode, mode: Mode
) -> None:
    monkeypatch.setenv("ONHOOK_MODE", variable)
    assert switch.mode_of_job(given) == mode


def test_a_word_that_is_no_mode_is_refused_when_the_agent_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ONHOOK_MODE", "watch")
    with pytest.raises(ConfigurationError, match=r"ONHOOK_MODE='watch'.*'observe'.*'act'"):
        onhook.guard(observed._entrypoint)
    with pytest.raises(DecorationError, match=r"mode='off'.*'act' or 'observe'"):
        onhook.guard(mode="off")  # type: ignore[call-overload]


def test_a_job_with_a_word_that_is_no_mode_is_observed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONHOOK_MODE", "watch")
    assert switch.mode_of_job("act") == "observe"
    assert "only observed" in caplog.text

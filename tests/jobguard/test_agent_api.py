"""What an agent's own code tells its guard."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from onhook.call import Call
from onhook.jobguard import agent_api
from onhook.jobguard.registry import guarded as guard_of
from onhook.policy import Policy
from tests.fakes import AGENT, ROOM, FakeLine, agent, call_of, caller, fails
from tests.jobguard.fakes import FakeJob, FakeSession, answered_room
from tests.jobguard.guarded import Guarded, returns, waits

pytestmark = pytest.mark.looptime

SPEAKING = Call(ROOM, (agent(AGENT, audible=True), caller()), AGENT, "AJ_1")


async def conversing(
    line: FakeLine, monkeypatch: pytest.MonkeyPatch
) -> tuple[Guarded, FakeSession]:
    guarded = Guarded(line, Policy(dead_air=4.0), room=answered_room())
    session = guarded.job.session = FakeSession()
    monkeypatch.setattr(agent_api, "get_job_context", lambda **_: guarded.job.ctx)
    guarded.start(waits)
    await asyncio.sleep(10)
    return guarded, session


async def test_while_busy_the_caller_is_told_again_and_silence_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = FakeLine(SPEAKING)
    guarded, session = await conversing(line, monkeypatch)
    session.takes_turn()
    async with agent_api.busy("I am checking.", every=8.0, after=1.5):
        await asyncio.sleep(20)
        assert line.asked == ["say"] * 3, "at 1.5, 9.5 and 17.5 s"
        assert guarded.watch.faults == []
    await asyncio.sleep(3.9)
    assert line.asked == ["say"] * 3
    await asyncio.sleep(8.2)
    assert guarded.watch.faults, "after it silence counts again"
    await guarded.job.end()


async def test_words_that_cannot_be_said_while_busy_are_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = FakeLine(SPEAKING, says=[fails(ZeroDivisionError("a bug of ours"))])
    guarded, session = await conversing(line, monkeypatch)
    session.takes_turn()
    async with agent_api.busy("I am checking."):
        await asyncio.sleep(20)
    assert "a bug of ours" in caplog.text
    await guarded.job.end()


async def test_busy_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    guarded, session = await conversing(FakeLine(SPEAKING), monkeypatch)
    session.takes_turn()
    async with agent_api.busy(None, limit=30.0):
        await asyncio.sleep(29)
        assert guarded.watch.faults == []
        await asyncio.sleep(5.6)
        assert len(guarded.watch.faults) == 1, "dead_air after the limit"
    await guarded.job.end()


async def test_after_a_release_nothing_is_a_fault() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    await guarded.start(returns)
    agent_api.release(guarded.job.ctx, "a colleague has the call")
    await asyncio.sleep(60)
    await guarded.job.end("the agent is done")
    assert guarded.watch.faults == []
    assert line.asked == []


async def test_a_second_session_is_watched_once_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guarded, _ = await conversing(FakeLine(SPEAKING), monkeypatch)
    second = FakeSession()
    second.takes_turn()
    await asyncio.sleep(60)
    assert guarded.watch.faults == []
    agent_api.watch(cast(Any, second))
    agent_api.watch(cast(Any, second))
    await asyncio.sleep(0.1)
    second.takes_turn()
    await asyncio.sleep(5)
    assert len(guarded.watch.faults) == 1
    await guarded.job.end()


async def test_a_healthy_call_can_be_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    guarded, session = await conversing(FakeLine(SPEAKING), monkeypatch)
    told = agent_api.explain(guarded.job.ctx)
    for words in (
        "Callers: 'sip_1' (active). Company: none.",
        "Mode act: a turn judged impaired is answered with say, keep; a lost call with say, hang_",
        "Next: nothing: no sound is owed",
        "Judged before in this call: nothing.",
    ):
        assert words in told
    session.takes_turn()
    await asyncio.sleep(3.0)
    assert "judged impaired in 1.0 s" in agent_api.explain(guarded.job.ctx)
    await asyncio.sleep(2.0)
    told = agent_api.explain(guarded.job.ctx)
    assert "1.0 s ago: llm.stalled (impaired), the caller has heard nothing for 4.0 s" in told
    assert "-> kept, " in told
    agent_api.release(guarded.job.ctx, "a colleague has the call")
    told = agent_api.explain(guarded.job.ctx)
    assert "The agent has released the call: a colleague has the call." in told
    await guarded.job.end()


async def test_before_its_session_a_call_is_explained_by_what_the_caller_waits_for() -> None:
    guarded = Guarded(FakeLine(call_of(caller())))
    assert agent_api.explain(guarded.job.ctx) == "This job is not guarded."
    task = guarded.start(waits)
    await asyncio.sleep(1.0)
    told = agent_api.explain(guarded.job.ctx)
    assert "not connected to its room" in told
    assert "The line has rung for 1.0 s: the agent has 19.0 s more to come up (setup)" in told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await guarded.job.end()


async def test_a_job_is_known_by_its_context_for_as_long_as_that_lives() -> None:
    guarded = Guarded(FakeLine(call_of()))
    assert guard_of(guarded.job.ctx) is None
    await guarded.start(returns)
    assert guard_of(guarded.job.ctx) is guarded.guard
    assert guard_of(FakeJob().ctx) is None
    await guarded.job.end()


async def test_without_a_guard_they_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    job = FakeJob()
    monkeypatch.setattr(agent_api, "get_job_context", lambda **_: job.ctx)
    agent_api.release(job.ctx, "why not")
    agent_api.watch(cast(Any, FakeSession()))
    async with agent_api.busy("One moment."):
        await asyncio.sleep(1)

"""The rows that ring 1 sees, with the clock in the test's hands."""

from __future__ import annotations

import asyncio
import logging

import pytest
from livekit.agents import CloseEvent, CloseReason

from onhook.call import Call, LineState
from onhook.errors import EntrypointStalledError
from onhook.policy import Policy
from onhook.rescue.events import Closed, Opened
from onhook.sinks.journal import MemoryJournal
from tests.fakes import (
    AGENT,
    ROOM,
    FakeLine,
    agent,
    call_of,
    caller,
    done,
    fails,
    hangs,
    refused,
    takes,
)
from tests.jobguard.fakes import FakeSession, answered_room
from tests.jobguard.guarded import Guarded, raising, returns, waits
from tests.rescue.telling import Kept

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (RuntimeError("x"), "entrypoint.raised"),
        (ExceptionGroup("g", [ValueError("y")]), "entrypoint.raised"),
        (asyncio.CancelledError(), "entrypoint.cancelled"),
    ],
)
async def test_what_the_entrypoint_raises_goes_on_after_the_rescue(
    error: BaseException, fault: str
) -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    with pytest.raises(type(error)) as caught:
        await guarded.start(raising(error))
    if not isinstance(error, asyncio.CancelledError):
        assert caught.value is error
    assert guarded.watch.faults == [fault]
    assert line.asked == ["say", "delete"]
    await guarded.job.end("job crashed")
    assert line.asked == ["say", "delete"], "one incident, one rescue"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_an_exit_goes_on_after_the_rescue(error: BaseException) -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    # run directly: a task would let these out of the event loop itself
    with pytest.raises(type(error)):
        await guarded.guard.run(raising(error), reraise=False)  # type: ignore[arg-type]
    assert guarded.watch.faults == ["entrypoint.exited"]
    assert line.asked == ["say", "delete"]
    await guarded.job.end()


async def test_swallowed_errors_end_the_job_in_order() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    await guarded.start(raising(RuntimeError("x")), reraise=False)
    assert guarded.watch.outcomes[0].ending == "released"
    assert len(guarded.job.shutdowns) == 1
    await guarded.job.end()


async def test_without_a_caller_nothing_is_done() -> None:
    line = FakeLine(call_of())
    guarded = Guarded(line)
    with pytest.raises(RuntimeError):
        await guarded.start(raising(RuntimeError("x")))
    await guarded.job.end("job crashed")
    assert guarded.watch.faults == []
    assert line.asked == []


async def test_a_caller_who_came_after_the_failure_is_seen_at_the_end_of_the_job() -> None:
    line = FakeLine(call_of())
    guarded = Guarded(line)
    with pytest.raises(RuntimeError):
        await guarded.start(raising(RuntimeError("x")))
    line.join(caller())
    await guarded.job.end("job crashed")
    assert guarded.watch.faults == ["agent.shutdown"]
    assert line.asked == ["say", "delete"]


async def test_an_entrypoint_that_stalls_is_ended_at_first_audio() -> None:
    line = FakeLine(call_of(caller(LineState.RINGING)))
    guarded = Guarded(line, Policy(setup=8.0))
    with pytest.raises(EntrypointStalledError, match="8 s"):
        await guarded.start(waits)
    assert asyncio.get_running_loop().time() == pytest.approx(8.0, abs=0.1)
    assert guarded.watch.faults == ["entrypoint.stalled"]
    assert line.asked == ["say", "delete"]
    await guarded.job.end()


async def test_an_entrypoint_that_returned_silently_is_ended_too() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, Policy(setup=4.0, first_audio=1.0))
    await guarded.start(returns)
    await asyncio.sleep(6)
    assert guarded.watch.faults == ["entrypoint.stalled"]
    assert guarded.job.shutdowns
    await guarded.job.end()


async def test_an_entrypoint_that_ignores_its_cancellation_cannot_hold_the_caller() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, Policy(setup=0.5, first_audio=0.5))

    async def stubborn(_: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    task = guarded.start(stubborn)
    await asyncio.sleep(1.5)
    assert line.asked == ["say", "delete"]
    with pytest.raises(EntrypointStalledError):
        await task
    await guarded.job.end()


async def test_what_a_stalled_entrypoint_raises_when_it_is_ended_is_not_lost() -> None:
    guarded = Guarded(FakeLine(call_of(caller())), Policy(setup=0.5, first_audio=0.5))
    original = ConnectionError("the database never answered")

    async def tells(_: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise original from None

    with pytest.raises(EntrypointStalledError) as caught:
        await guarded.start(tells)
    assert caught.value.__cause__ is original
    await guarded.job.end()


async def test_a_stalled_entrypoint_that_exits_when_it_is_ended_exits() -> None:
    guarded = Guarded(FakeLine(call_of(caller())), Policy(setup=0.5, first_audio=0.5))

    async def leaves(_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise Leave

    with pytest.raises(Leave):
        await guarded.start(leaves)
    await guarded.job.end()


class Leave(BaseException):
    """As `SystemExit`, which an event loop would not let a test see."""


async def test_no_caller_no_stall_until_one_comes() -> None:
    line = FakeLine(call_of())
    guarded = Guarded(line, Policy(setup=5.0, first_audio=5.0))
    task = guarded.start(waits)
    await asyncio.sleep(20)
    assert guarded.watch.faults == []
    line.join(caller())
    with pytest.raises(EntrypointStalledError):
        await task
    assert 20 + 5 <= asyncio.get_running_loop().time() <= 20 + 5 + 4.1
    await guarded.job.end()


async def test_the_timer_can_be_turned_off() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, Policy(setup=None, first_audio=None))
    task = guarded.start(waits)
    await asyncio.sleep(3600)
    assert guarded.watch.faults == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await guarded.job.end()


@pytest.mark.parametrize(
    ("reason", "asked"),
    [
        ("the appointment is made", ["delete"]),
        ("parent process shutdown", ["say", "delete"]),
        ("room disconnected", ["say", "delete"]),
    ],
)
async def test_a_job_that_ends_releases_its_caller(reason: str, asked: list[str]) -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    await guarded.start(returns)
    await guarded.job.end(reason)
    assert guarded.watch.faults == ["agent.shutdown"]
    assert line.asked == asked


async def test_the_end_of_a_finished_call_is_no_fault() -> None:
    line = FakeLine(call_of())
    guarded = Guarded(line)
    await guarded.start(returns)
    await guarded.job.end()
    assert guarded.watch.faults == []


@pytest.mark.parametrize(
    "failing", [fails(refused()), hangs, fails(refused("internal", passing=True))]
)
async def test_a_cleanup_that_fails_leaves_the_original_error_intact(failing: object) -> None:
    line = FakeLine(call_of(caller()), deletions=[failing], removals=[failing])  # type: ignore[list-item]
    guarded = Guarded(line)
    original = RuntimeError("the customer database is down")
    with pytest.raises(RuntimeError) as caught:
        await guarded.start(raising(original))
    assert caught.value is original
    assert guarded.watch.errors == [original]
    assert guarded.watch.outcomes[0].ending == "handed_outward"
    await guarded.job.end("job crashed")


async def test_a_job_whose_loop_is_torn_down_rescues_first() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    await guarded.start(returns)
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    assert guarded.watch.faults == ["entrypoint.exited"]
    assert line.asked == ["say", "delete"]


async def test_without_credentials_the_agent_runs_and_the_log_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    guarded = Guarded(FakeLine(call_of(caller())))
    with caplog.at_level(logging.ERROR, "onhook"):
        await guarded.start(returns)
    assert "LIVEKIT_API_SECRET not set" in caplog.text
    assert guarded.job.callbacks == []


async def test_a_watchdog_that_cannot_be_asked_keeps_neither_agent_nor_guard_from_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr("onhook.jobguard.job.WatchdogClient.start", broken)
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    with pytest.raises(ValueError, match="the agent's own"):
        await guarded.start(raising(ValueError("the agent's own")))
    assert line.asked == ["say", "delete"]
    assert "4242" in caplog.text
    await guarded.job.end("job crashed")


async def test_a_detector_that_cannot_be_made_keeps_no_other_from_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no ears")

    monkeypatch.setattr("onhook.jobguard.job.CallerVoice", broken)
    guarded = Guarded(FakeLine(call_of(caller())), Policy(setup=1.0, first_audio=1.0))
    with pytest.raises(EntrypointStalledError):
        await guarded.start(waits)
    assert guarded.watch.faults == ["entrypoint.stalled"]
    assert "no ears" in caplog.text
    await guarded.job.end()


async def test_a_rescue_that_breaks_never_takes_the_place_of_the_original_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = FakeLine(call_of(caller()), pictures=[fails(ZeroDivisionError("a bug of ours")), done])
    guarded = Guarded(line)
    original = RuntimeError("the customer database is down")
    with pytest.raises(RuntimeError) as caught:
        await guarded.start(raising(original))
    assert caught.value is original
    assert "a bug of ours" in caplog.text
    assert guarded.watch.faults == ["entrypoint.raised"], "with what is known"
    assert line.asked == ["say", "delete"]
    await guarded.job.end("job crashed")


async def test_after_an_error_of_ours_the_next_cause_is_acted_upon() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    opens = guarded.guard.rescuer._open_line
    guarded.guard.rescuer._open_line = lambda: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(RuntimeError):
        await guarded.start(raising(RuntimeError("x")))
    assert guarded.watch.faults == []
    guarded.guard.rescuer._open_line = opens
    await guarded.job.end("job crashed")
    assert guarded.watch.faults == ["agent.shutdown"]
    assert line.asked == ["say", "delete"]


async def test_a_job_that_is_shut_down_before_it_connects_releases_its_caller() -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    left: list[str] = []

    async def leave(reason: str, *, rescued: bool) -> None:
        left.append(f"{reason}, rescued {rescued}")

    await guarded.start(returns)
    with pytest.raises(Exception, match="before connecting"):
        _ = guarded.job.room.local_participant
    guarded.guard._ring2.leave = leave  # type: ignore[method-assign,assignment]
    await guarded.job.end("user requested")
    assert line.asked == ["delete"]
    assert left == ["user requested, rescued True"]


async def test_the_journal_it_is_given_has_the_evidence() -> None:
    journal = MemoryJournal()
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, journal=journal)
    with pytest.raises(RuntimeError):
        await guarded.start(raising(RuntimeError("x")))
    assert [entry.subject for entry in journal.entries()][-1] == "released"
    await guarded.job.end("job crashed")


async def test_nothing_is_left_running_after_the_job() -> None:
    guarded = Guarded(FakeLine(call_of(caller())))
    with pytest.raises(RuntimeError):
        await guarded.start(raising(RuntimeError("x")))
    await guarded.job.end("job crashed")
    assert asyncio.all_tasks() == {asyncio.current_task()}


SPEAKING = Call(ROOM, (agent(AGENT, audible=True), caller()), AGENT, "AJ_1")
"""The agent can be heard: its session is what counts now."""


async def conversing(line: FakeLine, policy: Policy) -> tuple[Guarded, FakeSession]:
    """Start a guarded job whose agent is heard, and wait until its session is followed."""
    guarded = Guarded(line, policy, room=answered_room())
    session = guarded.job.session = FakeSession()
    guarded.start(waits)
    await asyncio.sleep(policy.first_audio or 0.0)
    await asyncio.sleep(1.0)
    return guarded, session


async def test_a_silent_turn_is_softened_once_and_its_answer_ends_the_soft_words() -> None:
    line = FakeLine(SPEAKING, says=[takes(3.0)])
    guarded, session = await conversing(line, Policy(dead_air=4.0))
    kept = Kept()
    guarded.guard.rescuer.tell(kept)
    reply = session.takes_turn()
    await asyncio.sleep(4.5)
    assert line.asked == ["say"]
    await session.sends()
    session.output.audio.flush()
    reply.ends()
    session.becomes("listening")
    await asyncio.sleep(60)
    assert guarded.watch.faults == ["llm.stalled"]
    assert [outcome.ending for outcome in guarded.watch.outcomes] == ["kept"]
    opened, *_, again = kept.events
    assert isinstance(opened, Opened)
    assert opened.failure.silent_since is not None
    assert opened.failure.at - opened.failure.silent_since == pytest.approx(4.0, abs=0.1)
    assert isinstance(again, Closed)
    assert again.recovered
    assert again.at - opened.at == pytest.approx(0.5, abs=0.1)
    assert line.asked == ["say"], "the caller's own silence is no fault"
    assert guarded.job.shutdowns == []
    await guarded.job.end("agent is done")


async def test_lasting_silence_is_softened_and_then_rescued() -> None:
    line = FakeLine(SPEAKING)
    guarded, session = await conversing(line, Policy(dead_air=4.0))
    kept = Kept()
    guarded.guard.rescuer.tell(kept)
    session.takes_turn()
    await asyncio.sleep(4.0 + 15.0 + 0.5)
    assert guarded.watch.faults == ["llm.stalled", "llm.stalled"]
    assert not any(isinstance(e, Closed) and e.recovered for e in kept.events)
    assert line.asked == ["say", "say", "delete"]
    assert [outcome.ending for outcome in guarded.watch.outcomes] == ["kept", "released"]
    assert len(guarded.job.shutdowns) == 1
    await guarded.job.end()


async def test_a_rescue_does_not_wait_for_soft_words() -> None:
    line = FakeLine(SPEAKING, says=[takes(10.0), done])
    guarded, session = await conversing(line, Policy(dead_air=4.0))
    session.takes_turn()
    await asyncio.sleep(4.5)
    began = asyncio.get_running_loop().time()
    session.emit("close", CloseEvent(reason=CloseReason.ERROR))
    await asyncio.sleep(4.0)
    assert guarded.watch.faults == ["llm.stalled", "session.closed"]
    assert guarded.watch.outcomes[-1].ending == "released"
    assert asyncio.get_running_loop().time() - began < 5.0
    await guarded.job.end()

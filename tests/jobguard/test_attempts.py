"""`Retry` in a guarded job: which attempts are made, and which come up."""

from __future__ import annotations

import asyncio

import pytest

from onhook.policy import Policy
from onhook.rungs import HangUp, Retry
from tests.fakes import FakeLine, call_of, caller
from tests.jobguard.fakes import ConnectedRoom, FakeSession
from tests.jobguard.guarded import Guarded

pytestmark = pytest.mark.looptime


class Flaky:
    """Fails some times, then publishes audio and stays up."""

    def __init__(self, room: ConnectedRoom, failures: int) -> None:
        self.room = room
        self.failures = failures
        self.runs = 0

    async def __call__(self, _: object) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise RuntimeError(f"attempt {self.runs}")
        self.room.publishes()
        await asyncio.Event().wait()


def retrying(attempts: int) -> tuple[Guarded, FakeLine, ConnectedRoom]:
    return guarded_by(Policy(lost=[Retry(attempts=attempts), HangUp()]))


def guarded_by(policy: Policy) -> tuple[Guarded, FakeLine, ConnectedRoom]:
    room = ConnectedRoom(connected=False)
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, policy, room=room)

    async def again() -> None:
        await guarded.guard.entrypoint.again()

    line.retries = [again]
    return guarded, line, room


async def test_an_entrypoint_that_fails_twice_comes_up_and_is_waited_for() -> None:
    guarded, line, room = retrying(attempts=3)
    entrypoint = Flaky(room, failures=2)
    task = guarded.start(entrypoint)
    await asyncio.sleep(5)
    assert entrypoint.runs == 3
    assert [outcome.ending for outcome in guarded.watch.outcomes] == ["recovered"]
    assert line.asked == ["retry", "retry"]
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert guarded.watch.faults == ["entrypoint.raised", "entrypoint.cancelled"]
    await guarded.job.end()


async def test_when_no_attempt_comes_up_the_first_error_goes_on() -> None:
    guarded, line, room = retrying(attempts=2)
    entrypoint = Flaky(room, failures=9)
    with pytest.raises(RuntimeError, match="attempt 1"):
        await guarded.start(entrypoint)
    assert entrypoint.runs == 3
    assert line.asked == ["retry", "retry", "delete"]
    await guarded.job.end()


async def test_an_entrypoint_whose_session_had_started_is_not_run_again() -> None:
    guarded, line, room = retrying(attempts=3)
    guarded.job.session = FakeSession()
    entrypoint = Flaky(room, failures=1)
    with pytest.raises(RuntimeError, match="attempt 1"):
        await guarded.start(entrypoint)
    assert entrypoint.runs == 1
    assert "a session had started" in guarded.watch.outcomes[0].reports[0].detail
    assert line.asked == ["retry", "delete"]
    await guarded.job.end()


async def test_an_entrypoint_that_has_returned_is_not_run_again() -> None:
    guarded, *_ = retrying(attempts=3)
    runs = 0

    async def returns(_: object) -> None:
        nonlocal runs
        runs += 1

    await guarded.start(returns)
    await asyncio.sleep(30)
    assert runs == 1
    assert guarded.watch.faults == ["entrypoint.stalled"]
    assert "has returned" in guarded.watch.outcomes[0].reports[0].detail
    await guarded.job.end()


async def test_an_attempt_that_ignores_its_cancellation_does_not_hold_the_caller() -> None:
    policy = Policy(lost=[Retry(backoff=0.0, deadline=1.0), HangUp()])
    guarded, line, _ = guarded_by(policy)
    runs = 0

    async def stubborn(_: object) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("attempt 1")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(8)

    with pytest.raises(RuntimeError, match="attempt 1"):
        await guarded.start(stubborn)
    assert asyncio.get_running_loop().time() < 1.5
    assert line.asked == ["retry", "delete"]
    await asyncio.sleep(10)
    await guarded.job.end()


async def test_a_stall_that_another_attempt_cures_is_over_for_the_watchdog_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        "onhook.jobguard.job.WatchdogClient.answer_for_life", lambda _: told.append("up")
    )
    policy = Policy(setup=1.0, first_audio=1.0, lost=[Retry(backoff=0.0), HangUp()])
    guarded, _, room = guarded_by(policy)
    runs = 0

    async def stalls_once(_: object) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            room.publishes()
        await asyncio.Event().wait()

    task = guarded.start(stalls_once)
    await asyncio.sleep(5)
    assert [outcome.ending for outcome in guarded.watch.outcomes] == ["recovered"]
    assert told == ["up"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await guarded.job.end()

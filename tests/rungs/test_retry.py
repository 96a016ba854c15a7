from __future__ import annotations

import asyncio

import pytest

from onhook.errors import EntrypointStalledError, OnhookError, PolicyError
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rungs import HangUp, Retry
from tests.fakes import FakeLine, call_of, caller, done, fails, hangs

pytestmark = pytest.mark.looptime


async def rescue(line: FakeLine, retry: Retry) -> Outcome:
    incident = Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0), line.call)
    clock = asyncio.get_running_loop().time
    return await Engine(line, policy=Policy(lost=[retry, HangUp()]), clock=clock).handle(incident)


async def test_an_attempt_that_comes_up_has_recovered_the_call() -> None:
    line = FakeLine(call_of(caller()), retries=[fails(RuntimeError("still down")), done])
    outcome = await rescue(line, Retry(attempts=3, backoff=0.5))
    assert outcome.ending == "recovered"
    assert "attempt 2 of 3" in outcome.detail
    assert line.asked == ["retry", "retry"]
    assert asyncio.get_running_loop().time() == pytest.approx(0.5 + 1.0)


async def test_attempts_that_all_fail_lead_to_the_next_rung() -> None:
    stalled = fails(EntrypointStalledError("no audio"))
    line = FakeLine(call_of(caller()), retries=[fails(RuntimeError("down")), stalled])
    outcome = await rescue(line, Retry(attempts=2, backoff=0))
    assert outcome.ending == "released"
    assert "2 further attempts failed; last: no audio" in outcome.reports[0].detail


async def test_where_it_cannot_be_run_again_it_is_tried_once() -> None:
    line = FakeLine(call_of(caller()), retries=[fails(OnhookError("a session had started"))])
    outcome = await rescue(line, Retry(attempts=5))
    assert line.asked == ["retry", "delete"]
    assert "a session had started" in outcome.reports[0].detail


async def test_an_attempt_that_hangs_ends_at_the_deadline() -> None:
    line = FakeLine(call_of(caller()), retries=[hangs])
    assert (await rescue(line, Retry(deadline=3.0))).ending == "released"
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)


@pytest.mark.parametrize(
    "settings", [{"attempts": 0}, {"attempts": True}, {"backoff": -1}, {"deadline": None}]
)
def test_settings_are_checked(settings: dict[str, int]) -> None:
    with pytest.raises(PolicyError, match=rf"Retry\({next(iter(settings))}="):
        Retry(**settings)

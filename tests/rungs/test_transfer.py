from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace
from typing import Any

import pytest

from onhook.call import Call, LineState
from onhook.errors import OnhookError, PolicyError
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome, Result
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rungs import Climb, HangUp, Transfer
from tests.fakes import FakeLine, call_of, caller, fails, hangs, refused

pytestmark = pytest.mark.looptime

DESK = "tel:+15550123"


def incident(call: Call) -> Incident:
    return Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0), call)


async def rescue(line: FakeLine, *rungs: Any) -> Outcome:
    clock = asyncio.get_running_loop().time
    policy = Policy(lost=[*rungs, HangUp()])
    return await Engine(line, policy=policy, clock=clock).handle(incident(line.call))


def climb(line: FakeLine, *, resumed: bool = False) -> Climb:
    return Climb(line, incident(line.call), line.call, resumed)


async def test_a_caller_who_has_left_after_the_refer_is_transferred() -> None:
    line = FakeLine(call_of(caller()))
    headers = {"X-Case": "42"}
    outcome = await rescue(line, Transfer(DESK, headers=headers, play_dialtone=True))
    assert outcome.ending == "transferred"
    assert DESK in outcome.detail
    assert line.asked == ["transfer sip_1"]
    (referral,) = line.referrals
    assert (referral.to, referral.headers, referral.play_dialtone) == (DESK, headers, True)
    assert referral.window == 31


async def test_a_refused_one_leads_to_the_next_rung_at_once() -> None:
    line = FakeLine(call_of(caller()), transfers=[fails(refused("busy"))])
    outcome = await rescue(line, Transfer(DESK))
    assert outcome.ending == "released"
    assert line.asked == ["transfer sip_1", "delete"]
    assert "transfer.failed" in outcome.reports[0].detail
    assert "busy" in outcome.reports[0].detail
    assert asyncio.get_running_loop().time() == 0


async def test_one_that_is_never_reported_ends_at_the_deadline() -> None:
    line = FakeLine(call_of(caller()), transfers=[hangs])
    outcome = await rescue(line, Transfer(DESK, deadline=5.0))
    assert outcome.reports[0].result is Result.TIMED_OUT
    assert outcome.ending == "released"
    assert asyncio.get_running_loop().time() == pytest.approx(5.0)


async def test_a_leg_that_stays_was_not_transferred() -> None:
    line = FakeLine(call_of(caller()), stays=True)
    outcome = await rescue(line, Transfer(DESK))
    assert outcome.ending == "released"
    assert "is still here" in outcome.reports[0].detail
    assert asyncio.get_running_loop().time() == pytest.approx(4.0)


async def test_only_answered_legs_are_referred() -> None:
    line = FakeLine(call_of(caller(LineState.RINGING)))
    with pytest.raises(OnhookError, match="no caller's line has been answered"):
        await Transfer(DESK).climb(climb(line))
    assert line.asked == []


async def test_every_answered_caller_is_referred_and_one_that_is_not_stays_to_be_released() -> None:
    both = FakeLine(call_of(caller(), caller(identity="sip_2")))
    assert "sip_1, sip_2" in await Transfer(DESK).climb(climb(both))
    assert both.asked == ["transfer sip_1", "transfer sip_2"]
    one = FakeLine(call_of(caller(), caller(LineState.RINGING, "sip_2")))
    with pytest.raises(OnhookError, match="sip_2 cannot be referred"):
        await Transfer(DESK).climb(climb(one))
    assert one.asked == ["transfer sip_1"]


async def test_a_resumed_one_sends_no_refer_and_waits_for_the_leg_to_leave() -> None:
    line = FakeLine(call_of(caller()))
    resumed = climb(line, resumed=True)
    asyncio.get_running_loop().call_later(3.0, line._leave, {"sip_1"})
    assert DESK in await Transfer(DESK).climb(resumed)
    assert line.asked == []


async def test_a_call_that_was_not_seen_is_looked_at_first() -> None:
    line = FakeLine(call_of(caller()))
    unseen = replace(climb(line), call=Call(line.call.room, complete=False))
    await Transfer(DESK).climb(unseen)
    assert line.asked == ["transfer sip_1"]


@pytest.mark.parametrize(
    "to", ["", "+15550123", "tel:", "http://example.com", "sip:a b@c", "sip:a@b>\r\nX: y", 7, None]
)
def test_an_address_that_cannot_be_referred_to_is_refused(to: Any) -> None:
    with pytest.raises(PolicyError, match=r"Transfer\(to="):
        Transfer(to)


@pytest.mark.parametrize(
    "headers", [{"X Y": "1"}, {"": "1"}, {"X": 1}, {"X": "a\r\nVia: b"}, ["X"], None]
)
def test_a_header_that_is_none_is_refused(headers: Any) -> None:
    with pytest.raises(PolicyError, match=r"Transfer\(headers="):
        Transfer(DESK, headers=headers)


def test_the_other_settings_are_checked_and_it_travels_to_a_job() -> None:
    with pytest.raises(PolicyError, match="play_dialtone"):
        Transfer(DESK, play_dialtone="yes")  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="deadline"):
        Transfer(DESK, deadline=0)
    rung = Transfer(DESK, headers={"X-Case": "42"})
    assert pickle.loads(pickle.dumps(rung)) == rung  # noqa: S301 - ours
    assert hash(rung) == hash(Transfer(DESK, headers={"X-Case": "42"}))

"""The longest that a call may last, told by the answer of its line."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from onhook.call import Call
from onhook.errors import PolicyError
from onhook.jobguard.detectors.call_limit import CallLimit
from onhook.policy import Policy
from tests.fakes import AGENT, ROOM, FakeLine, agent, caller
from tests.jobguard.fakes import ConnectedRoom
from tests.jobguard.guarded import Guarded, waits

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_limit_counts_from_the_answer() -> None:
    room = ConnectedRoom()
    limit = CallLimit(cast(Any, room), 60.0, now)
    reached = asyncio.create_task(limit.reached())
    room.caller_is("ringing")
    await asyncio.sleep(30)
    room.caller_is("active")
    assert await reached == 60.0
    assert now() == pytest.approx(90.0, abs=0.01)


async def test_a_limit_that_is_set_later_counts_from_then() -> None:
    room = ConnectedRoom()
    room.caller_is("active")
    limit = CallLimit(cast(Any, room), None, now)
    reached = asyncio.create_task(limit.reached())
    await asyncio.sleep(3600)
    assert not reached.done()
    limit.set(4000.0)
    await asyncio.sleep(100)
    limit.set(300.0)
    assert await reached == 300.0
    assert now() == pytest.approx(4000.0, abs=0.01)
    for wrong in (0, -1, "long", True):
        with pytest.raises(PolicyError, match="max_call="):
            limit.set(cast(Any, wrong))


async def test_the_answer_of_a_dialled_leg_may_be_told_before_the_room_tells_it() -> None:
    room = ConnectedRoom()
    limit = CallLimit(cast(Any, room), 600.0, now)
    reached = asyncio.create_task(limit.reached())
    await asyncio.sleep(10)
    limit.set(60.0)
    await asyncio.sleep(1)
    room.caller_is("active")
    assert await reached == 60.0
    assert now() == pytest.approx(70.0, abs=0.01)


async def test_a_call_that_lasts_too_long_is_told_so_and_ended_with_its_job() -> None:
    room = ConnectedRoom()
    line = FakeLine(Call(ROOM, (agent(AGENT, audible=True), caller()), AGENT, "AJ_1"))
    guarded = Guarded(line, Policy(max_call=120.0), room=room)
    guarded.start(waits)
    await asyncio.sleep(1)
    room.publishes()
    room.caller_is("active")
    await asyncio.sleep(119)
    assert guarded.watch.faults == []
    await asyncio.sleep(2)
    assert guarded.watch.faults == ["call.overlong"]
    assert line.asked == ["say", "delete"]
    said = guarded.watch.outcomes[0].reports[0].detail
    assert "time limit" in said
    assert len(guarded.job.shutdowns) == 1
    await guarded.job.end()

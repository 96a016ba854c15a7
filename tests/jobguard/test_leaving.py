"""An agent that sends for somebody and leaves: its caller waits for them."""

from __future__ import annotations

import asyncio
import time

import pytest

from onhook.call import Call, LineState
from onhook.line import Dispatch
from onhook.livekit.arrivals import awaited_agent
from tests.fakes import FakeLine, agent, call_of, caller, fails, refused
from tests.jobguard.guarded import Guarded, returns

pytestmark = pytest.mark.looptime

MINE = "AD_mine"
NOW = 1_000_000.0


def sent_for(name: str = "billing", *, ago: float = 0.5, wall: float | None = None) -> Dispatch:
    at = (time.time() if wall is None else wall) - ago
    return Dispatch(f"AD_{name}", name, created_at=at)


def becoming(line: FakeLine, *changes: tuple[float, Call]) -> asyncio.Task[None]:
    """Change who is on the call, each some seconds after the one before."""

    async def change() -> None:
        for seconds, call in changes:
            await asyncio.sleep(seconds)
            line.call = call

    return asyncio.create_task(change())


async def ending(line: FakeLine) -> Guarded:
    guarded = Guarded(line)
    guarded.job.job.dispatch_id = MINE
    await guarded.start(returns)
    await guarded.job.end("user requested")
    return guarded


async def test_an_agent_that_was_sent_for_and_comes_has_the_caller() -> None:
    line = FakeLine(call_of(caller()), sent=[sent_for()])
    coming = becoming(line, (3.0, call_of(caller(), agent(audible=True))))
    guarded = await ending(line)
    await coming
    assert not {"say", "delete"} & set(line.asked)
    assert [outcome.ending for outcome in guarded.watch.outcomes] in ([], ["kept"])


async def test_one_that_starts_slowly_is_given_the_time_of_a_first_word() -> None:
    line = FakeLine(call_of(caller()), sent=[sent_for()])
    coming = becoming(
        line, (6.0, call_of(caller(), agent())), (6.0, call_of(caller(), agent(audible=True)))
    )
    await ending(line)
    await coming
    assert not {"say", "delete"} & set(line.asked)


@pytest.mark.parametrize("comes_mute", [False, True])
async def test_the_caller_of_one_that_is_never_heard_is_told_and_released(comes_mute: bool) -> None:
    line = FakeLine(call_of(caller()), sent=[sent_for()])
    coming = becoming(line, *([(3.0, call_of(caller(), agent()))] if comes_mute else []))
    began = asyncio.get_running_loop().time()
    guarded = await ending(line)
    took = asyncio.get_running_loop().time() - began
    assert took == pytest.approx(11.0 if comes_mute else 7.5, abs=0.6)
    assert [each for each in line.asked if each in ("say", "delete")] == ["say", "delete"]
    assert guarded.watch.faults == ["agent.shutdown"]
    await coming


async def test_a_caller_who_hangs_up_meanwhile_is_nobodys_any_more() -> None:
    line = FakeLine(call_of(caller()), sent=[sent_for()])
    leaving = becoming(line, (1.0, call_of()))
    guarded = await ending(line)
    await leaving
    assert guarded.watch.faults == []


@pytest.mark.parametrize("server", ["nobody", "refuses"])
async def test_without_another_dispatch_the_line_is_released_at_once(server: str) -> None:
    own = Dispatch(MINE, "desk", created_at=time.time())
    line = FakeLine(call_of(caller()), sent=[own])
    if server == "refuses":
        line.listings = [fails(refused())]
    began = asyncio.get_running_loop().time()
    await ending(line)
    assert asyncio.get_running_loop().time() - began < 0.5
    assert line.asked[-1] == "delete"


def test_only_a_fresh_dispatch_of_another_agent_is_waited_for() -> None:
    fresh, older = sent_for(wall=NOW), sent_for("sales", ago=3.0, wall=NOW)
    own = Dispatch(MINE, "desk", created_at=NOW)
    nameless = Dispatch("AD_0", "", created_at=NOW)
    assert awaited_agent([older, fresh, own, nameless], MINE, NOW) == fresh
    assert awaited_agent([own, nameless], MINE, NOW) is None
    assert awaited_agent([sent_for(ago=9.0, wall=NOW)], MINE, NOW) is None, "it will not come"
    ahead = sent_for(ago=-5.0, wall=NOW)
    assert awaited_agent([ahead], MINE, NOW) == ahead, "the server's clock may be ahead"


async def test_one_that_is_there_already_and_starts_is_waited_for() -> None:
    there = Dispatch("AD_2", "billing", agents=("agent-2",), created_at=time.time())
    line = FakeLine(call_of(caller(), agent()), sent=[there])
    starting = becoming(line, (3.0, call_of(caller(), agent(audible=True))))
    await ending(line)
    await starting
    assert not {"say", "delete"} & set(line.asked)


@pytest.mark.parametrize("answers", [True, False])
async def test_a_phone_that_is_dialled_is_waited_for(answers: bool) -> None:
    line = FakeLine(call_of(caller(), caller(LineState.RINGING, "sip_2")))
    theirs = [caller(LineState.ACTIVE, "sip_2")] if answers else []
    ending_soon = becoming(line, (20.0, call_of(caller(), *theirs)))
    await ending(line)
    await ending_soon
    assert line.asked == ([] if answers else ["say", "delete"])


async def test_a_phone_that_nobody_answers_is_not_waited_for_for_ever() -> None:
    line = FakeLine(call_of(caller(), caller(LineState.RINGING, "sip_2")))
    began = asyncio.get_running_loop().time()
    await ending(line)
    assert asyncio.get_running_loop().time() - began == pytest.approx(30.0, abs=1.0)
    assert line.asked[0] == "say"


async def test_a_callee_whose_phone_rings_waits_for_nobody() -> None:
    line = FakeLine(call_of(caller(LineState.RINGING)))
    await ending(line)
    assert line.asked[-1] == "delete"

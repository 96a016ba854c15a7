from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from onhook.call import Call
from onhook.errors import OnhookError, PolicyError
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome, Result
from onhook.line import Dispatch
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rungs import Climb, HangUp, Redispatch
from onhook.takeover import Takeover, compose, read
from tests.fakes import JOB, FakeLine, call_of, caller, fails, hangs, refused

pytestmark = pytest.mark.looptime

FIRST = Dispatch("AD_first", "first", '{"customer": 7}', (JOB,), ("agent-1",))


def incident(call: Call) -> Incident:
    return Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0), call)


def line_of(*sent: Dispatch, **scripts: Any) -> FakeLine:
    return FakeLine(call_of(caller()), sent=list(sent), **scripts)


async def rescue(line: FakeLine, happened: Incident, **settings: Any) -> Outcome:
    clock = asyncio.get_running_loop().time
    policy = Policy(lost=[Redispatch("second", **settings), HangUp()])
    return await Engine(line, policy=policy, clock=clock).handle(happened)


def chained(attempt: int) -> Dispatch:
    """The dispatch of a job that came by a redispatch itself."""
    told = Takeover("inc_0", "job.died", attempt=attempt, agent="agent-0", metadata='{"a": 1}')
    return Dispatch("AD_first", "first", compose(told), (JOB,), ("agent-1",))


async def test_an_agent_that_is_heard_takes_over_and_knows_why() -> None:
    line = line_of(FIRST)
    happened = incident(line.call)
    outcome = await rescue(line, happened)
    assert outcome.ending == "taken_over"
    assert line.asked == ["dispatch second", "hear AD_1"]
    metadata = json.loads(line.sent[-1].metadata)
    assert metadata["customer"] == 7, "the failed job's metadata goes on"
    told = read(line.sent[-1].metadata)
    assert told is not None
    assert (told.incident, told.fault, told.detail) == (
        happened.id,
        "entrypoint.raised",
        "it broke",
    )
    assert (told.agent, told.job, told.attempt) == ("agent-1", JOB, 1)


async def test_an_agent_that_is_not_heard_is_taken_away_in_time() -> None:
    line = line_of(FIRST, hearings=[hangs])
    outcome = await rescue(line, incident(line.call), deadline=6.0)
    assert outcome.ending == "released"
    assert outcome.reports[0].result is Result.FAILED
    assert "not heard within 4 s" in outcome.reports[0].detail
    assert line.asked == ["dispatch second", "hear AD_1", "withdraw AD_1", "delete"]
    assert asyncio.get_running_loop().time() == pytest.approx(4.0)


async def test_one_that_cannot_be_taken_away_is_named() -> None:
    refusal = fails(refused())
    line = line_of(FIRST, hearings=[fails(OnhookError("mute"))], removals=[refusal])
    outcome = await rescue(line, incident(line.call))
    assert "mute; and it may still come: scripted unauthenticated" in outcome.reports[0].detail


async def test_a_dispatch_whose_answer_was_lost_is_taken_back_too() -> None:
    line = line_of(FIRST)

    async def answer_is_lost() -> None:
        told = compose(Takeover.of(happened, ""))
        line.sent.append(Dispatch("AD_lost", "second", told))
        raise refused("timeout", passing=True)

    line.dispatchings = [answer_is_lost]
    happened = incident(line.call)
    await rescue(line, happened)
    assert "withdraw AD_lost" in line.asked


async def test_a_resumed_one_waits_for_the_agent_that_was_sent() -> None:
    line = line_of(FIRST)
    happened = incident(line.call)
    line.sent.append(Dispatch("AD_9", "second", compose(Takeover.of(happened, "")), (), ("b",)))
    text = await Redispatch("second").climb(Climb(line, happened, line.call, resumed=True))
    assert "'b' of 'second' has the caller" in text
    assert line.asked == ["hear AD_9"]


@pytest.mark.parametrize(("attempts", "allowed"), [(1, False), (2, False), (3, True)])
async def test_two_broken_agents_do_not_hand_a_call_to_and_fro(
    attempts: int, allowed: bool
) -> None:
    line = line_of(chained(attempt=2))
    outcome = await rescue(line, incident(line.call), attempts=attempts)
    if allowed:
        told = read(line.sent[-1].metadata)
        assert told is not None
        assert told.attempt == 3
        assert told.metadata == '{"a": 1}'
        assert [earlier.agent for earlier in told.history] == ["agent-0"]
    else:
        assert "already redispatched 2 times" in outcome.reports[0].detail
        assert line.asked == ["delete"]


async def test_a_job_that_the_server_does_not_list_counts_as_the_worst_it_lists() -> None:
    told = compose(Takeover("inc_0", "job.died", attempt=1))
    line = line_of(Dispatch("AD_x", "first", told, ("AJ_other",)))
    outcome = await rescue(line, incident(line.call))
    assert "already redispatched 1 times" in outcome.reports[0].detail


async def test_metadata_of_its_own_takes_the_place_of_the_failed_jobs() -> None:
    line = line_of(FIRST)
    await rescue(line, incident(line.call), metadata="plain text")
    told = read(line.sent[-1].metadata)
    assert told is not None
    assert told.metadata == "plain text"


async def test_a_caller_who_has_gone_gets_no_agent() -> None:
    line = line_of(FIRST)

    async def hangs_up() -> None:
        line.call = call_of()

    line.dispatchings = [hangs_up]
    outcome = await rescue(line, incident(line.call))
    assert outcome.ending == "released"
    assert line.sent == [FIRST]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"agent_name": " "}, "agent_name"),
        ({"agent_name": None}, "agent_name"),
        ({"agent_name": "a", "attempts": 0}, "attempts"),
        ({"agent_name": "a", "attempts": 1.5}, "attempts"),
        ({"agent_name": "a", "attempts": True}, "attempts"),
        ({"agent_name": "a", "metadata": {}}, "metadata"),
        ({"agent_name": "a", "deadline": -1}, "deadline"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyError, match=rf"Redispatch\({says}="):
        Redispatch(**settings)

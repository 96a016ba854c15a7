"""`Redispatch` at the phone: another agent takes over and is heard, or is taken away again."""

from __future__ import annotations

import asyncio
import json

import pytest
from livekit import api

from onhook.bench.phone import CallTimeoutError, Phone
from onhook.errors import OnhookError
from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.livekit import Credentials, LiveKitLine
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rungs import Redispatch
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
START = 5.0
"""Seconds for a job to start and to greet, on two busy cores."""


async def test_another_agent_takes_over_and_is_heard(bench: Bench) -> None:
    scenario = bench.scenario("raises_after_answer", "redispatch", then="is_healthy")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        assert await call.heard_sound(struck + 0.2, timeout=START + NOISE, new=True) > struck
        assert (await bench.story(scenario)).ending == "taken_over"
        told = bench.worker.event("took_over", scenario["id"]) or {}
        opened = bench.worker.event("intent", scenario["id"]) or {}
        assert told["fault"] == "entrypoint.raised"
        assert told["incident"] == opened["incident"]
        with pytest.raises(CallTimeoutError):
            await call.ended(timeout=2.0)
        await call.hang_up()


@pytest.mark.parametrize(
    ("guard", "patience"), [("redispatch_briefly", 4.0), ("redispatch_to_nobody", 2.0)]
)
async def test_one_that_is_not_heard_leads_to_the_next_rung(
    bench: Bench, guard: str, patience: float
) -> None:
    """The other agent is present and mute, or no worker takes the dispatch."""
    scenario = bench.scenario("raises_after_answer", guard, then="says_nothing")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        heard = await call.heard_sound(struck + 0.2, timeout=patience + 5, new=True)
        assert heard - struck <= patience + 0.4 + 2 * NOISE, "its patience, and taking it away"
        assert await agents(bench, scenario) == 1, "the mute one is out of the room"
        if guard == "redispatch_briefly":
            await bench.worker.wait("ended", scenario["id"])
            assert (bench.worker.event("ended", scenario["id"]) or {})["withdrawn"] is True
        await call.hang_up()
        story = await bench.story(scenario)
        assert story.ending == "released"
        assert "not heard within" in story.text


async def test_it_is_done_from_outside_the_job_too(bench: Bench) -> None:
    """A listener joins, hidden, to hear whether the other agent speaks."""
    scenario = bench.scenario("is_quiet", "off", then="is_healthy")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        room = str((bench.worker.event("greeted", scenario["id"]) or {})["room"])
        async with outside(bench, room) as line:
            (failed,) = (await line.picture()).other_agents
        async with outside(bench, room, failed.identity) as line:
            seen = await line.picture()
            incident = Incident(Failure(Fault.ENTRYPOINT_RAISED, "it is mute", 0.0), seen)
            outcome = await Engine(line, policy=Policy(lost=[Redispatch(bench.agent)])).handle(
                incident
            )
            assert outcome.ending == "taken_over", outcome
            assert await call.heard_sound(timeout=1 + NOISE) > 0
        await call.hang_up()


async def test_no_room_is_brought_back_for_a_caller_who_has_gone(bench: Bench) -> None:
    async with outside(bench, "call-that-is-over") as line:
        with pytest.raises(OnhookError, match="the caller has left"):
            await line.dispatch(bench.agent, json.dumps({"id": "x"}))
    async with bench.api() as server, asyncio.timeout(10):
        rooms = await server.room.list_rooms(api.ListRoomsRequest(names=["call-that-is-over"]))
    assert list(rooms.rooms) == []


async def agents(bench: Bench, scenario: dict[str, object]) -> int:
    room = (bench.worker.event("fault", str(scenario["id"])) or {})["room"]
    async with bench.api() as server, asyncio.timeout(10):
        listing = await server.room.list_participants(api.ListParticipantsRequest(room=room))
    return sum(p.kind == api.ParticipantInfo.Kind.AGENT for p in listing.participants)


def outside(bench: Bench, room: str, agent: str = "") -> LiveKitLine:
    return LiveKitLine(Credentials.from_env(bench.stack.env), room, agent=agent)

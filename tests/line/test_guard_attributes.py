"""What the real server shows of a guarded agent, of its rescue, and of a caller it has left."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping

import pytest
from livekit import api
from livekit.protocol.models import ParticipantInfo

from onhook.bench.phone import Phone
from onhook.ladder import Ladder
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import AGENT_NAME, GUARD, LADDER, RELEASED, RESCUE
from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

SOON = 5.0
STAYS = 3.0
"""Seconds for which a mark on a caller's leg is watched after its agent has left."""


async def members(bench: Bench, room: str) -> dict[str, ParticipantInfo]:
    async with bench.api() as server, asyncio.timeout(SOON):
        listing = await server.room.list_participants(api.ListParticipantsRequest(room=room))
    return {p.identity: p for p in listing.participants}


async def attributes(
    bench: Bench, room: str, kind: int, holds: Callable[[str], object]
) -> Mapping[str, str]:
    """Wait until a participant of a kind has such attributes, given as JSON; return them."""
    found: list[dict[str, str]] = []
    async with asyncio.timeout(SOON):
        while True:
            found = [
                dict(p.attributes) for p in (await members(bench, room)).values() if p.kind == kind
            ]
            for each in found:
                if holds(json.dumps(each)):
                    return each
            await asyncio.sleep(0.05)


async def room_of(bench: Bench, scenario: Mapping[str, str]) -> str:
    await bench.worker.wait("greeted", scenario["id"])
    return str((bench.worker.event("greeted", scenario["id"]) or {})["room"])


AGENT, SIP = ParticipantInfo.Kind.AGENT, ParticipantInfo.Kind.SIP


async def test_everybody_sees_the_guard_beside_what_the_framework_tells(bench: Bench) -> None:
    scenario = bench.scenario("is_healthy", "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        room = await room_of(bench, scenario)
        told = await attributes(bench, room, AGENT, lambda text: GUARD in text)
        assert Ladder.from_json(told[LADDER]) == Ladder.of(Policy().lost)
        assert told["lk.agent.state"] in ("listening", "speaking")
        assert told[AGENT_NAME] == bench.agent
        assert RESCUE not in told
        assert RELEASED not in told
        await call.hang_up()
    assert bench.worker.event("opened", scenario["id"]) is None


async def test_a_rescue_is_seen_while_it_speaks(bench: Bench) -> None:
    scenario = bench.scenario("raises_after_answer", "default")
    async with Phone() as phone:
        await bench.call_in(phone, scenario)
        await bench.struck(scenario)
        room = str((bench.worker.event("fault", scenario["id"]) or {})["room"])
        told = await attributes(bench, room, AGENT, lambda text: RESCUE in text)
        incident, seconds = told[RESCUE].split(";")
        opened = bench.worker.event("intent", scenario["id"]) or {}
        assert incident == opened["incident"]
        assert 10 < float(seconds) < 60
        assert (await bench.story(scenario)).ending == "released"


async def test_a_released_caller_bears_it_until_another_agent_is_heard(bench: Bench) -> None:
    scenario = bench.scenario("greets_and_releases", "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        room = await room_of(bench, scenario)
        await bench.worker.wait("released", scenario["id"])
        at = time.monotonic()
        told = await attributes(bench, room, SIP, lambda text: RELEASED in text)
        assert told[RELEASED] == "a machine of the caller's takes over"
        assert told["sip.callStatus"] == "active"
        assert time.monotonic() - at < 1.0
        await attributes(bench, room, SIP, lambda _: time.monotonic() - at > STAYS)
        here = await members(bench, room)
        assert [p.kind for p in here.values()] == [SIP], "the agent has left"
        (leg,) = here.values()
        assert leg.attributes[RELEASED] == told[RELEASED]
        assert call.report().ending is None
        other = bench.scenario("is_healthy", "default")
        env = bench.stack.env
        async with ServerApi(Credentials.from_env(env), timeout=SOON) as server:
            await server.create_dispatch(room, bench.agent, json.dumps(other))
        assert await room_of(bench, other) == room
        cleared = await attributes(bench, room, SIP, lambda text: RELEASED not in text)
        assert cleared["sip.callStatus"] == "active"
        await call.hang_up()
    assert bench.worker.event("opened", scenario["id"]) is None

"""What a real server says of real agents: the words that `rpc_answers` knows, and their times."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from livekit import api

from onhook.livekit.credentials import Credentials
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.probes import Prober
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

EXPECTED = {
    ("off", "alive"): ProbeResult.ANSWERED,
    ("off", "block"): ProbeResult.ANSWERED,  # its link says so for it, whatever its loop does
    ("off", "kill"): ProbeResult.GONE,
    ("default", "block"): ProbeResult.BLOCKED,
}
SECONDS = {ProbeResult.ANSWERED: 1.0, ProbeResult.BLOCKED: 2.9, ProbeResult.GONE: 2.4}


async def test_the_states_of_an_agent_are_told_apart(bench: Bench) -> None:
    async with Prober(Credentials.from_env(bench.stack.env)) as prober:
        found = await asyncio.gather(*(state_of(bench, prober, *key) for key in EXPECTED))
        assert await prober.ask("no-such-room", "agent-1") is ProbeResult.ABSENT
    assert dict(zip(EXPECTED, (result for result, _ in found), strict=True)) == EXPECTED
    assert all(seconds < SECONDS[result] for result, seconds in found), found


async def state_of(bench: Bench, prober: Prober, guard: str, how: str) -> tuple[ProbeResult, float]:
    scenario = bench.scenario("obeys", guard)
    name, room = scenario["id"], f"probe-{scenario['id']}"
    async with bench.api() as server:
        request = api.CreateAgentDispatchRequest(
            agent_name=bench.agent, room=room, metadata=json.dumps(scenario)
        )
        await server.agent_dispatch.create_dispatch(request)
        await bench.worker.wait("connected", name)
        identity = str((bench.worker.event("connected", name) or {})["agent"])
        await answers(prober, room, identity)
        if how != "alive":
            await server.room.send_data(api.SendDataRequest(room=room, data=how.encode()))
            await bench.struck(scenario)
            await asyncio.sleep(0.2)
        asked = time.monotonic()
        result = await prober.ask(room, identity)
        seconds = time.monotonic() - asked
        await server.room.delete_room(api.DeleteRoomRequest(room=room))
    return result, seconds


async def answers(prober: Prober, room: str, identity: str) -> None:
    """Wait until the data channel is open: an agent that just joins acknowledges nothing yet."""
    async with asyncio.timeout(10):
        while await prober.ask(room, identity) is not ProbeResult.ANSWERED:
            pass

"""What looks like a fault and is none, at the phone: nothing may happen.

The others of that list: handoffs, slow models and quick tools in test_conversations; colleagues,
meetings and transfers of whole jobs in test_company; callers who are silent in test_soak.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from onhook.bench.phone import Call, Phone
from onhook.bench.simulator import Endpoint, ProviderFault, Script, Simulator, ToolCall
from onhook.bench.stack import Stack
from tests.line.bench import Bench, all_well
from tests.line.test_company import joined
from tests.line.test_conversations import BOUND, DEAD_AIR, REQUEST

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

ANSWER = 15.0
TOOL = 27.0
BOOKED = "The table by the window is booked for you, this evening at eight o'clock sharp."
OUR_WORDS = 2.0
"""Seconds after which what `busy` said last is over, and the answer is not."""
SLOW = 1.0
"""Seconds that a provider is late, of the 2.4 that `onhook.providers` gives each of two."""
BLIP = 1.5

_starting = asyncio.Lock()
"""Held while an agent starts: several at once on two cores are late to greet, which is a fault."""


async def test_nothing_happens(bench: Bench) -> None:
    await all_well(
        [
            ("a tool of 27 s", a_long_tool(bench)),
            ("hold and warm transfer", hold_and_warm_transfer(bench)),
            ("release", released(bench)),
            ("slow providers", slow_providers(bench)),
            ("a new connection", a_new_connection(bench)),
        ]
    )


async def a_long_tool(bench: Bench) -> None:
    script = Script(answers=(ToolCall("book"), BOOKED))
    more = {"tool_takes": TOOL, "busy": "I am checking the reservations."}
    async with placed(bench, "converses", script, guard="talk_with_long_tools", **more) as it:
        await it.call.say(REQUEST)
        asked = time.monotonic()
        async with asyncio.timeout(TOOL + ANSWER):
            while (last := it.simulator.requests[-1]).at < asked + TOOL or (  # noqa: ASYNC110
                last.endpoint is not Endpoint.SPEECH
            ):
                await asyncio.sleep(0.05)  # the simulator tells of requests by its list alone
        await it.call.heard_sound(last.at + OUR_WORDS, timeout=ANSWER)
        hearing = it.call.report().hearing
        assert hearing.longest_silence(asked, asked + TOOL) < BOUND


async def hold_and_warm_transfer(bench: Bench) -> None:
    script = Script(answers=(ToolCall("fetch_ann"), "Here is Ann."))
    async with placed(bench, "holds_and_hands_over", script) as it:
        await it.call.say(REQUEST)
        asked = time.monotonic()
        held = await bench.worker.wait("holding", it.id)
        await it.call.heard_sound(asked, timeout=ANSWER, new=True)
        await asyncio.sleep(3 * DEAD_AIR)  # the caller hears music for so long
        room = (bench.worker.event("holding", it.id) or {})["room"]
        assert it.call.report().hearing.longest_silence(held + 1.0) < DEAD_AIR
        async with joined(bench, room, "ann"):
            await bench.worker.wait("left_to_ann", it.id)
            assert (await bench.story({"id": it.id})).ending == "kept"
            await asyncio.sleep(2 * DEAD_AIR)
            it.may = ["agent.shutdown"]


async def released(bench: Bench) -> None:
    async with placed(bench, "releases", Script()) as it:
        await bench.worker.wait("left", it.id)
        await asyncio.sleep(3 * DEAD_AIR)  # and the caller hears nothing


async def slow_providers(bench: Bench) -> None:
    async with Simulator(Script(heard=(REQUEST,))) as second:
        urls: dict[str, Any] = {"second": second.base_url, "dead_air": 2 * DEAD_AIR}
        async with placed(
            bench, "has_two_providers", Script(heard=(REQUEST,)), guard="default", **urls
        ) as it:
            for endpoint in (Endpoint.CHAT, Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS):
                it.simulator.fail(endpoint, ProviderFault.slow(SLOW))
            asked = time.monotonic()
            await it.call.say(REQUEST)
            await it.call.heard_sound(time.monotonic(), timeout=ANSWER, new=True)
            assert [each for each in second.requests if each.at >= asked] == []


async def a_new_connection(bench: Bench) -> None:
    async with placed(bench, "reconnects", Script()) as it:
        await bench.worker.wait("reconnected", it.id)
        await asyncio.sleep(DEAD_AIR)
        await it.call.say(REQUEST)
        await it.call.heard_sound(time.monotonic(), timeout=ANSWER, new=True)


async def test_a_network_blip_is_waited_for(bench: Bench, stack: Stack) -> None:
    """Nothing passes between any two for a moment: the server stands still."""
    async with placed(bench, "is_healthy", Script()) as it:
        stack.kill("livekit-server", signal.SIGSTOP)
        try:
            await asyncio.sleep(BLIP)
        finally:
            stack.kill("livekit-server", signal.SIGCONT)
        await it.call.heard_sound(time.monotonic(), timeout=ANSWER, new=True)
        await asyncio.sleep(2 * DEAD_AIR)


class Placed:
    """A call whose agent has greeted."""

    def __init__(self, call: Call, simulator: Simulator, scenario: str) -> None:
        self.call = call
        self.simulator = simulator
        self.id = scenario
        self.may: list[str] = []
        """What is noted and kept, where the agent leaves the call to others."""


@contextlib.asynccontextmanager
async def placed(
    bench: Bench, fault: str, script: Script, *, guard: str = "talk", **more: Any
) -> AsyncIterator[Placed]:
    """RuntimeDir a call that nothing may happen to."""
    async with Simulator(script) as simulator, Phone() as phone:
        url = simulator.base_url
        scenario = bench.scenario(fault, guard, provider=url, first=url, **more)
        async with _starting:
            call = await bench.call_in(phone, scenario)
            greeted = await bench.worker.wait("greeted", scenario["id"])
        await call.answered()
        yield (it := Placed(call, simulator, scenario["id"]))
        report = call.report()
        assert report.ending is None, report.how
        # an agent that starts on a busy machine may be slow to greet: that is none of these rows
        opened = [e["fault"] for e in bench.worker.events_of("opened", it.id) if e["at"] > greeted]
        assert opened == it.may
        await call.hang_up()

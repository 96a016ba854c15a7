"""Failing providers, at the phone: the real session and the real openai plugin between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from onhook.bench.phone import Call, Ending, Phone
from onhook.bench.simulator import Endpoint, ProviderFault, Script, Simulator
from tests.line.bench import Bench, full_form, short_form

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.5
DEAD_AIR, QUICK = 3.0, 2.0
DEADLINE, QUICK_DEADLINE = 0.8 * DEAD_AIR / 2, 0.8 * QUICK / 2
"""What `onhook.providers` gives each of two providers of a kind."""
HEALTHY = 1.0
"""From a healthy model's request to the first sound at the phone, at most."""
WORDS = 12.0
REQUEST = "I would like a table for two please."


class Talk:
    """A call whose agent has greeted, and the two providers behind it."""

    def __init__(self, bench: Bench, call: Call, scenario: dict[str, Any], *two: Simulator) -> None:
        self.bench, self.call, self.scenario = bench, call, scenario
        self.first, self.second = two

    async def ask(self, endpoint: Endpoint) -> float:
        """Say something; return when the first provider was asked for what the test is about."""
        asked = len([each for each in self.first.requests if each.endpoint is endpoint])
        await self.call.say(REQUEST)
        async with asyncio.timeout(WORDS):
            while True:
                requests = [each for each in self.first.requests if each.endpoint is endpoint]
                if len(requests) > asked:
                    return requests[asked].at
                await asyncio.sleep(0.01)

    def asked_second(self, since: float) -> set[Endpoint]:
        return {each.endpoint for each in self.second.requests if each.at >= since}

    def incident(self) -> dict[str, Any] | None:
        return self.bench.worker.event("opened", self.scenario["id"])


@asynccontextmanager
async def talk(
    bench: Bench, guard: str, dead_air: float = DEAD_AIR, **more: Any
) -> AsyncIterator[Talk]:
    script = Script(heard=(REQUEST,))
    async with Simulator(script) as first, Simulator(script) as second, Phone() as phone:
        urls = {"first": first.base_url, "second": second.base_url}
        scenario = bench.scenario("has_two_providers", guard, dead_air=dead_air, **urls, **more)
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        await call.answered()
        yield Talk(bench, call, scenario, first, second)
        await call.hang_up()


async def test_a_healthy_turn_is_the_first_providers_alone(bench: Bench) -> None:
    async with talk(bench, "default") as it:
        asked = await it.ask(Endpoint.CHAT)
        heard = await it.call.heard_sound(asked, timeout=WORDS, new=True)
        assert heard - asked <= HEALTHY + NOISE
        assert it.asked_second(asked) == set()
        assert it.incident() is None


@full_form
async def test_without_onhook_a_model_that_stalls_is_silence(bench: Bench) -> None:
    async with talk(bench, "off", bare=True) as it:
        it.first.fail(Endpoint.CHAT, ProviderFault.stall())
        asked = await it.ask(Endpoint.CHAT)
        bound = asked + DEADLINE + HEALTHY + NOISE
        await asyncio.sleep(max(0.0, bound - time.monotonic()))
        assert it.call.report().hearing.first_sound(asked + 0.2) is None


@pytest.mark.parametrize(
    ("kind", "endpoint", "fault", "waits"),
    short_form(
        [
            ("llm", Endpoint.CHAT, ProviderFault.stall(), DEADLINE),
            ("tts", Endpoint.SPEECH, ProviderFault.mute(), 0.0),
            ("stt", Endpoint.TRANSCRIPTIONS, ProviderFault.error(401), 0.5),  # and the endpointing
        ],
        every=2,
    ),
)
async def test_the_second_provider_is_heard(
    bench: Bench, kind: str, endpoint: Endpoint, fault: ProviderFault, waits: float
) -> None:
    async with talk(bench, "default") as it:
        it.first.fail(endpoint, fault)
        asked = await it.ask(endpoint)
        heard = await it.call.heard_sound(asked, timeout=WORDS, new=True)
        assert heard - asked <= waits + HEALTHY + NOISE
        assert it.asked_second(asked) == {endpoint}
        assert bench.worker.event(f"{kind} 0 failed", it.scenario["id"])
        assert it.incident() is None


@full_form
async def test_where_both_models_stall_the_guard_knows_in_time(bench: Bench) -> None:
    async with talk(bench, "quick", QUICK) as it:
        for simulator in (it.first, it.second):
            simulator.fail(Endpoint.CHAT, ProviderFault.stall())
        asked = await it.ask(Endpoint.CHAT)
        report = await it.call.ended(timeout=WORDS)
        assert report.ending is Ending.BYE_RECEIVED
        heard = report.hearing.first_sound(asked + 0.2)
        assert heard is not None, "the caller is told before the line is released"
        assert heard - asked <= 2 * QUICK_DEADLINE + 2 * NOISE

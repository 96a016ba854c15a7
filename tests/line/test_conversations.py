"""Inside the conversation, at the phone: each fault without onhook and with it.

`DEAD_AIR` is that of the worker's policy "quick"; the escalation is as long again.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from onhook.phone import Call, Ending, Phone
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DEAD_AIR = 2.0
WORDS = 12.0
REQUEST = "I would like a table for two please."


async def ask(bench: Bench, call: Call, scenario: dict[str, object]) -> float:
    """Say something after the greeting; return when the agent's answer began to fail."""
    await bench.worker.wait("greeted", str(scenario["id"]))
    await call.answered()
    await call.say(REQUEST)
    return await bench.struck(scenario)


@pytest.mark.parametrize("fault", ["llm_hangs", "llm_is_refused", "llm_is_empty"])
async def test_without_onhook_the_caller_hears_nothing(bench: Bench, fault: str) -> None:
    scenario = bench.scenario(fault, "off")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await ask(bench, call, scenario)
        patience = 2 * DEAD_AIR + NOISE
        await asyncio.sleep(max(0.0, struck + patience - time.monotonic()))
        report = call.report()
        assert report.ending is None
        assert report.hearing.first_sound(struck + 0.2) is None
        await call.hang_up()


@pytest.mark.parametrize(
    ("fault", "named"), [("llm_hangs", "llm.stalled"), ("llm_is_empty", "llm.empty")]
)
async def test_silence_is_softened_and_then_ended(bench: Bench, fault: str, named: str) -> None:
    scenario = bench.scenario(fault, "quick")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await ask(bench, call, scenario)
        soft = await call.heard_sound(struck, timeout=DEAD_AIR + NOISE, new=True)
        lost = await bench.worker.wait("lost", scenario["id"])
        assert lost - struck <= 2 * DEAD_AIR + NOISE
        report = await call.ended(timeout=WORDS)
        assert report.ending is Ending.BYE_RECEIVED
        assert report.hearing.longest_silence(soft) <= DEAD_AIR + NOISE
        opened = bench.worker.event("opened", scenario["id"]) or {}
        assert opened["fault"] == named
        assert opened["severity"] == "impaired"


async def test_a_provider_that_fails_for_good_is_a_lost_agent(bench: Bench) -> None:
    scenario = bench.scenario("llm_is_refused", "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await ask(bench, call, scenario)
        heard = await call.heard_sound(struck, timeout=WORDS, new=True)
        assert heard - struck <= 0.4 + NOISE
        report = await call.ended(timeout=WORDS)
        assert report.ending is Ending.BYE_RECEIVED
        opened = bench.worker.event("opened", scenario["id"]) or {}
        assert opened["fault"] == "llm.failed"
        assert "invalid key" in opened["raised"]


async def test_a_voice_that_the_framework_does_not_miss_is_missed(bench: Bench) -> None:
    scenario = bench.scenario("tts_raises_oddly", "quick")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await ask(bench, call, scenario)
        await call.heard_sound(struck, timeout=DEAD_AIR + NOISE, new=True)
        await call.ended(timeout=DEAD_AIR + WORDS)
        opened = bench.worker.event("opened", scenario["id"]) or {}
        assert opened["fault"] == "tts.mute"


async def test_a_slow_answer_is_softened_and_the_call_goes_on(bench: Bench) -> None:
    scenario = bench.scenario("llm_is_slow", "quick")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await ask(bench, call, scenario)
        await call.heard_sound(struck, timeout=DEAD_AIR + NOISE, new=True)
        answered = struck + 3.5
        await call.heard_sound(answered, timeout=DEAD_AIR + NOISE, new=True)
        await call.heard_silence(3 * DEAD_AIR, timeout=20)
        assert call.report().ending is None, "a caller who says nothing is no fault"
        assert bench.worker.event("lost", scenario["id"]) is None
        await call.hang_up()


async def test_a_conversation_that_goes_well_is_never_touched(bench: Bench) -> None:
    scenario = bench.scenario("conversation_goes_well", "quick")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        await ask(bench, call, scenario)
        for _ in range(2):
            await call.heard_silence(DEAD_AIR + NOISE, timeout=20)
            await call.say(REQUEST)
            await call.heard_sound(time.monotonic(), timeout=DEAD_AIR + NOISE, new=True)
        await call.heard_silence(3 * DEAD_AIR, timeout=20)
        assert call.report().ending is None
        assert bench.worker.event("opened", scenario["id"]) is None
        await call.hang_up()

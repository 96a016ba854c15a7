"""Rows that need a set-up of their own: a deploy, voices that fail, a healthy call."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from onhook.bench.phone import Ending, Phone
from onhook.bench.stack import Stack
from tests.line.bench import Bench, phone_for, short_form, worker

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DRAIN = 1.0
"""Seconds that the worker of these tests drains."""
HEALTHY = float(os.environ.get("ONHOOK_HEALTHY_SECONDS", "10"))


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize("voice", short_form(["tts_hangs", "tts_raises", "tts_silent"], every=3))
async def test_a_voice_that_fails_leaves_the_built_in_prompt(
    bench: Bench, direction: str, voice: str
) -> None:
    scenario = bench.scenario("raises_after_answer", voice)
    async with phone_for(direction) as phone:
        call = await bench.place(direction, phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=15)
        assert report.ending is Ending.BYE_RECEIVED
        heard = report.hearing.first_sound(struck)
        assert heard is not None
        assert heard - struck <= 1.5 + 0.4 + NOISE, "the TTS's deadline, and a start"
        assert "built-in prompt" in (await bench.story(scenario)).text


async def test_swallowed_errors_release_the_line_too(bench: Bench) -> None:
    scenario = bench.scenario("raises_after_answer", "silent", reraise=False)
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=5)
        assert report.ending is Ending.BYE_RECEIVED
        assert (report.ended_at or 0.0) - struck <= 0.4 + NOISE


async def test_an_agent_that_fails_before_it_dials_leaves_nothing_behind(bench: Bench) -> None:
    """Outbound, nobody was called yet: there is no line to release, and no incident."""
    scenario = bench.scenario("raises_before_connect", "default")
    async with Phone() as phone:
        await bench.dispatch(phone, scenario)
        await bench.struck(scenario)
        await bench.worker.wait("left", scenario["id"])
        assert bench.worker.event("opened", scenario["id"]) is None


@pytest.mark.parametrize("guard", short_form(["default", "off"], every=2))
async def test_a_deploy_with_a_caller_on_the_line(stack: Stack, tmp_path: Path, guard: str) -> None:
    """SIGTERM to the worker, which drains and then ends its jobs."""
    async with worker(stack, tmp_path, ONHOOK_TEST_AGENT=guard) as running, Phone() as phone:
        bench = Bench(stack, running, agent=guard)
        scenario = bench.scenario("waits_for_the_deploy", guard, worker=running.process.pid)
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        async with asyncio.timeout(40):
            await running.process.wait()
        stopped = time.monotonic()
        if guard == "off":
            report = call.report()
            assert report.ending is None, "without onhook the caller stays on a silent line"
            assert report.hearing.first_sound(struck + 0.5) is None
            return
        report = await call.ended(timeout=NOISE)
        assert report.ending is Ending.BYE_RECEIVED
        assert (report.ended_at or 0.0) <= stopped + NOISE
        assert report.hearing.first_sound(struck) is not None
        assert (await bench.story(scenario)).ending == "released"


async def test_an_entrypoint_that_works_on_keeps_no_caller_of_a_deploy_waiting(
    stack: Stack, tmp_path: Path
) -> None:
    """SIGTERM to the worker alone, as to a container's PID 1; a job with a handler of its own.

    livekit-agents gives a running entrypoint 15 s to end.
    """
    async with worker(stack, tmp_path, ONHOOK_TEST_AGENT="works-on") as running, Phone() as phone:
        bench = Bench(stack, running, agent="works-on")
        scenario = bench.scenario("works_on_when_told_to_end", "default")
        call = await bench.call_in(phone, scenario)
        await bench.signal(scenario)
        await bench.struck(scenario)
        os.kill(running.process.pid, signal.SIGTERM)
        told = time.monotonic()
        report = await call.ended(timeout=25)
        assert report.ending is Ending.BYE_RECEIVED
        heard = report.hearing.first_sound(told + 0.2) or report.ended_at or 0.0
        print(f"\nsafe {heard - told:.2f} s after SIGTERM")  # noqa: T201 - the figures
        assert heard - told <= DRAIN + 1.0 + NOISE


@pytest.mark.timeout(HEALTHY + 90)
async def test_a_healthy_call_is_never_touched(bench: Bench) -> None:
    scenario = bench.scenario("is_healthy", "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        await asyncio.sleep(HEALTHY)  # the passing of time is what is tested
        report = call.report()
        assert report.ending is None
        assert report.hearing.longest_silence(report.answered_at or 0.0) < 3.0
        assert bench.worker.event("opened", scenario["id"]) is None
        await call.hang_up()

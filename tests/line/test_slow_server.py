"""A server that takes 2 s for every request, or stands still for 6 s: late words, and a release."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from onhook.bench.phone import Ending, Phone
from onhook.bench.stack import Stack
from tests.line.bench import Bench, all_well, full_form, worker
from tests.line.proxy import PASS, proxy

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.5
REQUEST, STOPPED = 2.0, 6.0
LATE = 9.0
"""Seconds that words get with a slow server: three times `Say.start_deadline`."""
RELEASE = 20.0
"""Seconds for the words, and for a release whose every request is slow."""


@full_form
async def test_a_slow_server_costs_time_and_no_words(bench: Bench, tmp_path: Path) -> None:
    await all_well(
        [("requests", slow_requests(bench)), ("stopped", of_a_server_that_stops(tmp_path))]
    )


async def slow_requests(bench: Bench) -> None:
    """The job fails before it has joined: it asks, joins and releases by requests of 2 s each."""
    async with proxy(bench.http_url, "*", [PASS], delay=REQUEST) as slow, Phone() as phone:
        scenario = bench.scenario("raises_before_connect", "default", api=slow.url)
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=LATE + RELEASE)
        words = report.hearing.first_sound(struck)
        assert words is not None, bench.worker.tail()
        ended = report.ended_at or 0.0
        print(f"\nrequests of 2 s: words {words - struck:.2f} s, end {ended - struck:.2f} s")  # noqa: T201 - the figures
        assert words - struck <= LATE + NOISE
        assert report.ending is Ending.BYE_RECEIVED


async def of_a_server_that_stops(folder: Path) -> None:
    async with (
        Stack(folder=folder / "stack") as stack,
        worker(stack, folder, ONHOOK_TEST_AGENT="slow", ONHOOK_TEST_IDLE="1") as running,
    ):
        await stands_still(Bench(stack, running, agent="slow"), "raises_after_answer")


async def stands_still(bench: Bench, fault: str) -> None:
    scenario = bench.scenario(fault, "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        bench.stack.kill("livekit-server", signal.SIGSTOP)
        await asyncio.sleep(STOPPED)
        bench.stack.kill("livekit-server", signal.SIGCONT)
        report = await call.ended(timeout=RELEASE)
        words = report.hearing.first_sound(struck + 0.5, new=True)
        assert words is not None, bench.worker.tail()
        ended = report.ended_at or 0.0
        print(f"\n{fault}: words {words - struck:.2f} s, end {ended - struck:.2f} s")  # noqa: T201 - the figures
        assert words - struck <= LATE + NOISE
        assert report.ending is Ending.BYE_RECEIVED

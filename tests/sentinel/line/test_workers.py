"""Workers that are full, that accept slowly, and jobs that start late: `make sentinel-rows`.

Each call has a worker of its own, so that the server has just heard of it: what the server then
lists of a dispatch is up to 5 s late, and a second agent is sent beside one that is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onhook.bench.phone import Ending
from onhook.bench.phone.call_report import Report
from onhook.sinks.journal import Step
from tests.line.bench import Worker, worker
from tests.sentinel.line.calls import PlainCall, call_to
from tests.sentinel.line.conftest import Watched
from tests.sentinel.line.test_rows import ABSENT, NOISE, RELEASED, REPEATED, tell

pytestmark = [pytest.mark.stack, pytest.mark.case, pytest.mark.asyncio(loop_scope="session")]

FULL, FREE = "1.0", "0.0"
TOLD = 6.0
"""Seconds within which a worker has told the server its load: it does every 2.5 s."""
IDLE, START = 2, 90.0
JOINS = 6.0
"""Seconds that an agent may take to join on two busy cores."""
AFTER = 6.0
"""Seconds for which a call is looked at when its agent has greeted."""


async def test_all_workers_are_at_full_load(watched: Watched, tmp_path: Path) -> None:
    load = tmp_path / "load"
    load.write_text(FULL)
    async with rested(watched, tmp_path, "full", load=load) as busy:
        await asyncio.sleep(TOLD)
        async with call_to(watched.stack, busy, "full", agent="full") as call:
            report = await call.phone.ended(timeout=30.0)
    heard_an_apology(report, watched, "full load")
    assert busy.events_of("offered", "full") == []


async def test_a_worker_frees_up_before_it_is_too_late(watched: Watched, tmp_path: Path) -> None:
    """It tells so before the second dispatch: the real agent answers, and nothing is said."""
    load = tmp_path / "load"
    load.write_text(FULL)
    async with rested(watched, tmp_path, "frees", load=load) as busy:
        await asyncio.sleep(TOLD)
        opened = incidents(watched)
        load.write_text(FREE)  # the server knows it within 2.5 s, after the call has come
        async with call_to(watched.stack, busy, "frees", agent="frees", mute=True) as call:
            report = await answered_by_one_agent(call, busy, "frees")
    heard_one_greeting(report, busy, "frees")
    tell("worker frees up: answered", seconds(report))
    assert incidents(watched) == opened


async def test_a_worker_accepts_slowly(watched: Watched, tmp_path: Path) -> None:
    """Slower than the first dispatch is waited for: one agent comes, and nothing is said."""
    async with rested(watched, tmp_path, "slow") as slow:
        opened = incidents(watched)
        async with call_to(
            watched.stack, slow, "slow", agent="slow", accepts_after=[5.0], mute=True
        ) as call:
            report = await answered_by_one_agent(call, slow, "slow")
    heard_one_greeting(report, slow, "slow")
    tell("slow to accept: answered", seconds(report))
    assert incidents(watched) == opened


async def test_a_worker_accepts_nothing_in_time(watched: Watched, tmp_path: Path) -> None:
    async with (
        rested(watched, tmp_path, "never") as slow,
        call_to(watched.stack, slow, "never", agent="never", accepts_after=[30.0] * 4) as call,
    ):
        report = await call.phone.ended(timeout=30.0)
    heard_an_apology(report, watched, "never accepted")


@pytest.mark.parametrize("late", [6.0, 11.0, 16.0])
async def test_an_original_without_a_guard_comes_late(
    watched: Watched, tmp_path: Path, late: float
) -> None:
    name = f"late-{late:g}"
    async with rested(watched, tmp_path, name) as host:
        opened = incidents(watched)
        async with call_to(watched.stack, host, name, agent=name, late=[late], mute=True) as call:
            report = await answered_by_one_agent(call, host, name, late=late)
    heard_one_greeting(report, host, name)
    tell(f"late by {late:g} s, no guard: answered", seconds(report))
    assert incidents(watched) == opened


@pytest.mark.parametrize("late", [6.0, 16.0])
async def test_an_original_with_a_guard_comes_late(
    watched: Watched, tmp_path: Path, late: float
) -> None:
    name = f"late-guarded-{late:g}"
    async with rested(watched, tmp_path, name, "tests.agents.worker") as host:
        opened = incidents(watched)
        async with call_to(
            watched.stack, host, name, agent=name, late=[late], fault="is_healthy", guard="default"
        ) as call:
            report = await answered_by_one_agent(call, host, name, late=late)
    assert len(host.events_of("greeted", name)) == 1, "two agents have greeted"
    tell(f"late by {late:g} s, guarded: answered", seconds(report))
    assert incidents(watched) == opened


@contextlib.asynccontextmanager
async def rested(
    watched: Watched,
    folder: Path,
    agent: str,
    module: str = "tests.agents.plain",
    *,
    load: Path | None = None,
) -> AsyncIterator[Worker]:
    """Run a worker with a name of its own, whose processes are there before its first call."""
    given = {"ONHOOK_TEST_AGENT": agent, "ONHOOK_TEST_IDLE": str(IDLE)}
    if load is not None:
        given["ONHOOK_TEST_LOAD"] = str(load)
    async with worker(watched.stack, folder, module, **given) as running:
        async with asyncio.timeout(START):
            while running.log.read_text().count("process initialized") < IDLE:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        yield running


async def answered_by_one_agent(
    call: PlainCall, host: Worker, name: str, *, late: float = 0.0
) -> Report:
    """Wait until an agent has greeted, and every other one has come and gone."""
    answered = await call.phone.answered(timeout=late + 30.0)
    await host.wait("greeted", name)
    rest = call.phone.report().invited_at + late + JOINS - answered
    await asyncio.sleep(max(rest, 0.0) + AFTER)
    report = call.phone.report()
    assert report.ending is None, report.how
    assert seconds(report) <= REPEATED + NOISE
    assert len(await call.agents()) == 1
    await call.phone.hang_up()
    return report


def heard_one_greeting(report: Report, host: Worker, name: str) -> None:
    """See that the phone has heard nothing after the first greeting; its agent says no more."""
    greeted = float((host.event("greeted", name) or {})["at"])
    second = report.hearing.first_sound(greeted + 1.0, new=True)
    assert second is None, f"heard again {second - greeted:.2f} s after the greeting"


def heard_an_apology(report: Report, watched: Watched, what: str) -> None:
    words = (report.hearing.first_sound(report.invited_at) or math.inf) - report.invited_at
    tell(f"{what}: words", words)
    assert words <= ABSENT + NOISE, f"{words:.2f} s\n{watched.sentinel.tail()}"
    assert report.ending is Ending.BYE_RECEIVED
    assert (report.ended_at or math.inf) - report.invited_at <= words + RELEASED


def incidents(watched: Watched) -> int:
    return len(watched.sentinel.entries(Step.OPENED))


def seconds(report: Report) -> float:
    return (report.answered_at or math.inf) - report.invited_at

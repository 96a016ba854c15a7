"""Ring 2 at the phone: jobs that die or hang, without it and with it, in the same test."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from onhook.bench.phone import Call, Ending, Phone
from onhook.bench.stack import Stack
from onhook.bench.stack.config import Keys
from onhook.sinks.journal.case_file import Case
from tests.line.bench import Bench, Worker, full_form, short_form, worker
from tests.line.storm import storm
from tests.line.test_rows import guarded_is_safe, unguarded_hears_nothing

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DIED, HUNG, WORKER = 1.0, 3.0 + 1.0, 2.0
"""Seconds from the fault to `safe`: the bounds of the fault matrix."""
LIMIT, RELEASED = 15.0, 12.0
"""Seconds that a job may hang, and seconds for finding it, the apology and the release."""
BEYOND = 2.0
"""Seconds beyond the bound for which the unguarded caller is watched."""
POLL = 0.05
_LITTLE = 400_000 * 1024
STORM = 12
"""Jobs that die at once; `make bench-watchdog` has 50."""

ROWS = [
    ("is_killed", DIED),
    ("exits_without_cleanup", DIED),
    ("segfaults", DIED),
    ("runs_out_of_memory", DIED),
]
HANGS = ["blocks_its_loop", "is_stopped", "holds_the_gil"]


@pytest.mark.parametrize(("fault", "bound"), short_form(ROWS, every=3))
async def test_the_caller_of_a_lost_job_is_safe_within_the_bound(
    bench: Bench, fault: str, bound: float
) -> None:
    await asyncio.gather(
        unguarded_hears_nothing(bench, "inbound", fault, bound + BEYOND),
        guarded_is_safe(bench, "inbound", fault, "default", bound + NOISE),
    )


@pytest.mark.parametrize("fault", short_form(HANGS, every=3))
async def test_a_job_that_hangs_for_good_gets_words_and_then_its_end(
    bench: Bench, fault: str
) -> None:
    await asyncio.gather(
        unguarded_hears_nothing(bench, "inbound", fault, HUNG + BEYOND),
        told_and_released(bench, fault),
    )


async def told_and_released(bench: Bench, fault: str) -> None:
    scenario = bench.scenario(fault, "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=LIMIT + RELEASED + NOISE)
        words = report.hearing.first_sound(struck + 0.5)
        assert words is not None
        assert words - struck <= HUNG + NOISE, f"words after {words - struck:.2f} s"
        ended = report.ended_at or 0.0
        assert LIMIT < ended - struck <= LIMIT + RELEASED + NOISE
        assert report.ending is Ending.BYE_RECEIVED
        apology = report.hearing.first_sound(struck + LIMIT - 1.0)
        assert apology is not None
        assert apology < ended - 3.0, "the apology is said before the line is released"
        print(  # noqa: T201 - the figures
            f"\n{fault}: words {words - struck:.2f} s, apology {apology - struck:.2f} s, "
            f"end {ended - struck:.2f} s"
        )


async def test_a_loop_that_is_back_after_five_seconds_keeps_its_call(bench: Bench) -> None:
    scenario = bench.scenario("blocks_for_five_seconds", "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        back = await bench.worker.wait("survived", scenario["id"])
        await asyncio.sleep(LIMIT)  # that nothing else is said takes time to hear
        report = call.report()
        assert report.ending is None, report.how
        words = report.hearing.first_sound(struck + 0.5)
        assert words is not None
        assert words - struck <= HUNG + NOISE
        assert report.hearing.first_sound(back + 1.5) is None, "the announcer left in time"
        print(f"\nblocked for 5 s: words {words - struck:.2f} s")  # noqa: T201 - the figures
        await call.hang_up()


@full_form
@pytest.mark.parametrize("order", ["side by side", "one after the other"])
async def test_each_server_has_its_own_watchdog_in_one_folder(
    stack: Stack, tmp_path: Path, order: str
) -> None:
    """Staging and production on one host: whichever came first, both are covered."""
    async with Stack() as other:
        await each_is_rescued([(stack, {}), (other, {})], tmp_path, order)


@full_form
async def test_a_rotated_key_leaves_both_generations_of_jobs_covered(tmp_path: Path) -> None:
    """A rolling restart: calls of the old worker go on while the new one takes the next."""
    new = Keys()
    key = {"LIVEKIT_API_KEY": new.key, "LIVEKIT_API_SECRET": new.secret}
    async with Stack(next_keys=new) as rotating:
        await each_is_rescued([(rotating, {}), (rotating, key)], tmp_path, "side by side")


async def each_is_rescued(
    identities: Sequence[tuple[Stack, Mapping[str, str]]], folder: Path, order: str
) -> None:
    """Kill one job of each identity; all workers share a runtime folder."""
    watchdogs: set[int | None] = set()

    async def killed(bench: Bench, call: Call, scenario: Mapping[str, Any]) -> None:
        await watched(bench.worker, 1)
        await bench.signal(scenario)
        await is_safe(call, await bench.struck(scenario), DIED + NOISE)
        watchdogs.add(bench.worker.watchdog())

    async with contextlib.AsyncExitStack() as ends:
        waiting = []
        for number, (servers, env) in enumerate(identities):
            (home := folder / str(number)).mkdir()
            runtime = str(folder / "run")
            here = {"ONHOOK_TEST_AGENT": f"agent-{number}", "ONHOOK_RUNTIME_DIR": runtime}
            running = await ends.enter_async_context(worker(servers, home, **env, **here))
            bench = Bench(servers, running, agent=f"agent-{number}", ids=itertools.count(number))
            phone = await ends.enter_async_context(Phone())
            scenario = bench.scenario("is_killed_on_signal", "default")
            waiting.append((bench, await bench.call_in(phone, scenario), scenario))
            if order == "one after the other":
                await killed(*waiting.pop())
                running.process.terminate()
        for each in waiting:
            await killed(*each)
    assert len(watchdogs - {None}) == len(identities)


async def test_an_outbound_call_of_a_lost_job_is_rescued_too(bench: Bench) -> None:
    await guarded_is_safe(bench, "outbound", "is_killed", "default", DIED + NOISE)


async def test_healthy_jobs_that_are_slow_are_left_alone(bench: Bench) -> None:
    """A loop that is blocked for 2 s, and a tool that takes a whole core for itself."""
    await asyncio.gather(
        untouched(bench, "blocks_for_a_moment"),
        untouched(bench, "computes_in_a_thread", seconds=25.0),
    )


async def untouched(bench: Bench, fault: str, **more: object) -> None:
    scenario = bench.scenario(fault, "default", **more)
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        await bench.worker.wait("survived", scenario["id"])
        room = (bench.worker.event("fault", scenario["id"]) or {})["room"]
        report = call.report()
        assert report.ending is None, report.how
        assert report.hearing.first_sound(struck + 0.5) is None, "nobody spoke to the caller"
        assert room not in bench.worker.watchdog_log()
        await call.hang_up()


@pytest.mark.parametrize("count", short_form([3, 5], every=2))
async def test_a_worker_that_is_killed_leaves_none_of_its_callers(
    stack: Stack, tmp_path: Path, count: int
) -> None:
    """Its jobs see it die and rescue their calls themselves, in the loop that is torn down.

    The watchdog sees their beats and lets them finish; it says once what the worker leaves behind.
    """
    async with worker(stack, tmp_path, ONHOOK_TEST_AGENT="doomed") as running:
        bench = Bench(stack, running, agent="doomed")
        async with contextlib.AsyncExitStack() as phones:
            calls = []
            for _ in range(count):  # one after the other: the worker's end is loaded, not SIP
                phone = await phones.enter_async_context(Phone())
                calls.append(await quiet_call(bench, phone))
            await watched(running, len(calls))
            os.kill(running.process.pid, signal.SIGKILL)
            killed = time.monotonic()
            await asyncio.gather(*(is_safe(call, killed, WORKER + NOISE) for call in calls))
        await watched(running, 0)
        log = running.watchdog_log()
        worker_died = f"worker of process {running.process.pid} has died with {count} guarded calls"
        assert log.count(worker_died) == log.count("has died with") == 1
        journal = running.journal
        cases = [Case(journal.entries(each)) for each in journal.incidents(50)]
        assert len(cases) == len(calls)
        assert len({case.opening.room for case in cases}) == len(calls)
        assert {(case.rings, case.ending) for case in cases} == {(("guard",), "released")}


async def test_a_storm_leaves_nobody_and_few_are_spoken_to(stack: Stack, tmp_path: Path) -> None:
    """More jobs die at once than the watchdog speaks to at once: the others are released."""
    got = await storm(stack, tmp_path, STORM)
    assert got.released == STORM, got.line()
    assert 0 < got.spoken_to <= 8, got.line()
    assert got.safe[-1] <= 3.0 + NOISE, got.line()


async def test_sigterm_to_the_whole_group_leaves_no_caller_in_silence(
    stack: Stack, tmp_path: Path
) -> None:
    """Under forkserver it ends the jobs at once, before any of their own code can run."""
    async with worker(stack, tmp_path, ONHOOK_TEST_AGENT="grouped") as running:
        bench = Bench(stack, running, agent="grouped")
        async with Phone() as one, Phone() as two:
            guarded, alone = await asyncio.gather(
                quiet_call(bench, one), quiet_call(bench, two, guard="off")
            )
            await watched(running, 1)
            os.killpg(running.process.pid, signal.SIGTERM)
            killed = time.monotonic()
            await is_safe(guarded, killed, DIED + NOISE)
            report = alone.report()
            assert report.ending is None, "without ring 2 the line stays open"
            assert report.hearing.first_sound(killed + 0.5) is None


@full_form
async def test_when_everything_was_asleep_nobody_is_rescued(stack: Stack, tmp_path: Path) -> None:
    """A laptop's lid: jobs, worker and watchdog stop together, and the watchdog wakes first."""
    async with worker(stack, tmp_path, ONHOOK_TEST_AGENT="asleep") as running:
        bench = Bench(stack, running, agent="asleep")
        async with Phone() as phone:
            call = await quiet_call(bench, phone)
            await watched(running, 1)
            dog = running.watchdog()
            assert dog is not None
            os.kill(dog, signal.SIGSTOP)
            os.killpg(running.process.pid, signal.SIGSTOP)
            await asyncio.sleep(5.0)  # the time that passes is what is tested
            os.kill(dog, signal.SIGCONT)
            await asyncio.sleep(0.5)
            os.killpg(running.process.pid, signal.SIGCONT)
            woke = time.monotonic()
            await asyncio.sleep(HUNG + NOISE)
            report = call.report()
            assert report.ending is None, report.how
            assert report.hearing.first_sound(woke) is None
            assert "ERROR" not in running.watchdog_log()
            await call.hang_up()


async def quiet_call(bench: Bench, phone: Phone, guard: str = "default") -> Call:
    scenario = bench.scenario("is_quiet", guard)
    call = await bench.call_in(phone, scenario)
    await bench.worker.wait("greeted", scenario["id"])
    return call


async def watched(running: Worker, count: int) -> None:
    """Wait until the watchdog watches so many jobs."""
    async with asyncio.timeout(10):
        while running.watched() != count:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(POLL)


async def is_safe(call: Call, since: float, bound: float) -> None:
    report = await call.ended(timeout=15 + bound)
    ended = report.ended_at or 0.0
    heard = report.hearing.first_sound(since + 0.1, new=True)
    safe = min(ended, ended if heard is None else heard) - since
    assert report.ending is Ending.BYE_RECEIVED
    assert safe <= bound, f"safe after {safe:.2f} s"
    print(f"\nsafe after {safe:.2f} s")  # noqa: T201 - the figures


async def test_a_watchdog_under_a_memory_limit_speaks_in_time(stack: Stack, tmp_path: Path) -> None:
    """`ulimit -v 400000`: what the README says that it needs."""
    async with worker(stack, tmp_path, ONHOOK_TEST_AGENT="small") as running:
        bench = Bench(stack, running, agent="small")
        scenario = bench.scenario("is_killed", "default")
        async with Phone() as phone:
            call = await bench.call_in(phone, scenario)
            async with asyncio.timeout(DIED + NOISE):
                while (watchdog := running.watchdog()) is None:  # noqa: ASYNC110 - a process
                    await asyncio.sleep(POLL)
            resource.prlimit(watchdog, resource.RLIMIT_AS, (_LITTLE, _LITTLE))
            await is_safe(call, await bench.struck(scenario), DIED + NOISE)
        assert running.watchdog() == watchdog, "it is still there"

"""`make bench-watchdog`: what ring 2 promises, measured and printed. Nothing is asserted.

`python -m tests.line.watchdog_figures RUNS`: so many calls of each fault, 20 when omitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from onhook.bench.phone import Call, Phone
from onhook.bench.stack import Stack
from onhook.watchdog.client.command import ask, running_pid
from onhook.watchdog.runtime_dir import RuntimeDir
from tests.line.bench import Bench, worker
from tests.line.storm import storm
from tests.line.test_watchdog import ROWS, WORKER, quiet_call, watched
from tests.livekit.twirp import SECRET, twirp

LOST = 30.0
"""Seconds after which a caller counts as lost."""
CALLS = 5
ENDS = [
    (signal.SIGKILL, f"worker killed, {CALLS} calls", WORKER),
    (signal.SIGTERM, f"SIGTERM to the group, {CALLS} calls", WORKER),
]
RUNS = 20
JOBS = 100
STORM = 50
IDLE = 20.0


async def safe(call: Call, since: float) -> float:
    """Return the seconds from a fault to rescue audio or BYE at the phone, and hang up then."""
    ended = asyncio.create_task(call.ended(timeout=LOST))
    heard = asyncio.create_task(call.heard_sound(since + 0.1, timeout=LOST, new=True))
    try:
        done, _ = await asyncio.wait((ended, heard), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (ended, heard):
            task.cancel()
        await asyncio.gather(ended, heard, return_exceptions=True)
    report = call.report()
    at = heard.result() if heard in done else report.ended_at or math.inf
    if report.ending is None:
        await call.hang_up()
    return at - since


async def to_safe(bench: Bench, fault: str) -> float:
    """Return what one job's end costs its caller, in seconds."""
    scenario = bench.scenario(fault, "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        return await safe(call, await bench.struck(scenario))


async def end_of_worker(stack: Stack, folder: Path, how: signal.Signals) -> Sequence[float]:
    """Return what a worker's end costs each of its callers: killed alone, or its whole group."""
    async with (
        worker(stack, folder, ONHOOK_TEST_AGENT=folder.name) as running,
        contextlib.AsyncExitStack() as phones,
    ):
        bench = Bench(stack, running, agent=folder.name)
        calls = [
            await quiet_call(bench, await phones.enter_async_context(Phone())) for _ in range(CALLS)
        ]
        await watched(running, CALLS)
        if how is signal.SIGKILL:
            os.kill(running.process.pid, how)
        else:
            os.killpg(running.process.pid, how)
        at = time.monotonic()
        return await asyncio.gather(*(safe(call, at) for call in calls))


def row(table: Table, name: str, seconds: Sequence[float], bound: float) -> None:
    ranked = sorted(seconds)
    p99 = ranked[math.ceil(0.99 * len(ranked)) - 1]
    figures = (statistics.median(ranked), p99, ranked[-1])
    table.add_row(name, *(f"{f:.2f} s" for f in figures), str(len(ranked)), f"{bound:g} s")


async def deaths(console: Console, runs: int) -> None:
    """Every fault so many times; the first call of each worker is a cold watchdog's."""
    table = Table("from the fault to safe", "median", "p99", "worst", "calls", "bound")
    with tempfile.TemporaryDirectory() as folder:
        async with Stack() as stack:
            async with worker(stack, Path(folder)) as running:
                bench = Bench(stack, running)
                for fault, bound in ROWS:
                    row(table, fault, [await to_safe(bench, fault) for _ in range(runs)], bound)
            for how, name, bound in ENDS:
                seconds: list[float] = []
                for run in range(runs):
                    place = Path(folder) / f"{how.name.lower()}-{run}"
                    place.mkdir()
                    seconds += await end_of_worker(stack, place, how)
                row(table, name, seconds, bound)
    console.print(table)


def _jobs(socket: Path) -> int | None:
    """Return how many jobs a watchdog has; `None` while none listens."""
    return (ask(socket, "status") or {}).get("count")


async def idle(console: Console) -> None:
    """A watchdog with a hundred connected jobs, and nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        async with twirp() as server:
            files = RuntimeDir(run).of(server.credentials)
            env = {
                **os.environ,
                "LIVEKIT_URL": server.credentials.url,
                "LIVEKIT_API_KEY": "key",
                "LIVEKIT_API_SECRET": SECRET,
                "ONHOOK_RUNTIME_DIR": str(run),
                "ONHOOK_WATCHDOG": "",
            }
            crowd = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.watchdog.crowd", str(JOBS)),
                env=env,
            )
            try:
                # once it has loaded what a rescue needs it asks the server: its start is over
                while not (server.calls and _jobs(files.socket) == JOBS):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                pid = running_pid(files.socket) or 0
                dog = psutil.Process(pid)
                before, began = sum(dog.cpu_times()[:2]), time.monotonic()
                jobs_before = psutil.Process(crowd.pid).cpu_times()[:2]
                await asyncio.sleep(IDLE)  # what is measured is what it costs meanwhile
                passed = time.monotonic() - began
                share = (sum(dog.cpu_times()[:2]) - before) / passed
                jobs = (sum(psutil.Process(crowd.pid).cpu_times()[:2]) - sum(jobs_before)) / passed
                memory = dog.memory_info().rss / 2**20
                console.print(f"idle, {JOBS} jobs: {memory:.1f} MiB resident (promised: 60)")
                console.print(f"idle, {JOBS} jobs: {100 * share:.2f} % of a core (promised: 0.5)")
                console.print(f"one link: {100 * jobs / JOBS:.3f} % of a core (promised: 1)")
            finally:
                crowd.kill()
                await crowd.wait()
                with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                    dog.kill()


async def crowded(console: Console) -> None:
    """Half a hundred jobs that die at the same instant."""
    with tempfile.TemporaryDirectory() as folder:
        async with Stack() as stack:
            got = await storm(stack, Path(folder), STORM)
    console.print(f"{got.line()} (promised: all, p99 3 s, 8 spoken to at once)")


async def main() -> None:
    console = Console(highlight=False)
    await idle(console)
    await crowded(console)
    await deaths(console, int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)


if __name__ == "__main__":
    asyncio.run(main())

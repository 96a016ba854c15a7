"""`make bench-watchdog`: what ring 2 promises, measured and printed. Nothing is asserted.

`python -m tests.line.watchdog_figures RUNS`: so many calls of each fault, 20 when omitted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from onhook.phone import Phone
from onhook.stack import Stack
from onhook.watchdog.command import ask, running_pid
from tests.line.bench import Bench, worker
from tests.line.storm import storm
from tests.line.test_watchdog import ROWS
from tests.livekit.twirp import SECRET, twirp

JOBS = 100
STORM = 50
IDLE = 20.0


async def to_safe(bench: Bench, fault: str) -> float:
    """Return the seconds from the fault to rescue audio or BYE at the phone."""
    scenario = bench.scenario(fault, "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=30)
        ended = report.ended_at or struck
        return min(ended, report.hearing.first_sound(struck + 0.1, new=True) or ended) - struck


async def deaths(console: Console, runs: int) -> None:
    """Every fault so many times; the first call of each worker is a cold watchdog's."""
    table = Table("from the fault to safe", "median", "worst", "runs", "bound")
    with tempfile.TemporaryDirectory() as folder:
        async with Stack() as stack, worker(stack, Path(folder)) as running:
            bench = Bench(stack, running)
            for fault, bound in ROWS:
                seconds: Sequence[float] = [await to_safe(bench, fault) for _ in range(runs)]
                median, worst = statistics.median(seconds), max(seconds)
                table.add_row(fault, f"{median:.2f} s", f"{worst:.2f} s", str(runs), f"{bound:g} s")
    console.print(table)


async def idle(console: Console) -> None:
    """A watchdog with a hundred connected jobs, and nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        async with twirp() as server:
            env = {
                **os.environ,
                "LIVEKIT_URL": server.credentials.url,
                "LIVEKIT_API_KEY": "key",
                "LIVEKIT_API_SECRET": SECRET,
                "ONHOOK_RUNTIME_DIR": str(run),
                "ONHOOK_WATCHDOG": "",
            }
            crowd = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.watchdog.crowd", server.credentials.url, str(JOBS)),
                env=env,
            )
            try:
                while (ask(run / "watchdog.sock", "status") or {}).get("count") != JOBS:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                pid = running_pid(run / "watchdog.sock") or 0
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
    await deaths(console, int(sys.argv[1]) if len(sys.argv) > 1 else 20)


if __name__ == "__main__":
    asyncio.run(main())

"""`make bench`: the figures that onhook promises, measured at the phone and printed.

Nothing is asserted: what a shared machine makes of them is for a person to read.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from onhook.bench.phone import Phone
from onhook.bench.stack import Stack
from tests.line.bench import Bench, worker

RUNS = 10
BYES = 20
CPU_SECONDS = 20.0
RESCUE = ("hand-written", "silent")


async def to_bye(bench: Bench, guard: str) -> float:
    """Return the seconds from the fault to the BYE at the phone."""
    scenario = bench.scenario("raises_in_mid_call", guard, timed=True)
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=10)
        return (report.ended_at or struck) - struck


async def to_words(bench: Bench) -> float:
    """Return the seconds from the fault to the first rescue audio at the phone."""
    scenario = bench.scenario("raises_in_mid_call", "default", timed=True)
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        return await call.heard_sound(struck, timeout=10, new=True) - struck


async def overhead(bench: Bench) -> tuple[float, float]:
    """Return the seconds that the guard adds to a start, and the job's CPU share it adds."""
    starts: dict[str, list[float]] = {"off": [], "default": []}
    shares: dict[str, list[float]] = {"off": [], "default": []}
    for _ in range(3):
        for guard in ("off", "default"):
            scenario = bench.scenario("is_quiet", guard, timed=True)
            async with Phone() as phone:
                call = await bench.call_in(phone, scenario)
                await bench.worker.wait("greeted", scenario["id"])
                entered = bench.worker.event("entered", scenario["id"]) or {}
                starts[guard].append(entered["at"] - entered["before"])
                job = psutil.Process(entered["pid"])
                before = sum(job.cpu_times()[:2])
                began = time.monotonic()
                await asyncio.sleep(CPU_SECONDS)  # what is measured is what a call costs meanwhile
                spent = sum(job.cpu_times()[:2]) - before
                shares[guard].append(spent / (time.monotonic() - began))
                await call.hang_up()
    start = statistics.median(starts["default"]) - statistics.median(starts["off"])
    return start, statistics.median(shares["default"]) - statistics.median(shares["off"])


def row(table: Table, name: str, seconds: Sequence[float]) -> None:
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    table.add_row(name, *(f"{1000 * figure:.0f} ms" for figure in figures), str(len(seconds)))


async def main() -> None:
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Stack() as stack,
            worker(stack, Path(folder)) as running,
        ):
            bench = Bench(stack, running)
            byes: dict[str, list[float]] = {guard: [] for guard in RESCUE}
            await to_words(bench)  # makes the cached rendering, as the first healthy call does
            for run in range(BYES):
                for guard in RESCUE if run % 2 else reversed(RESCUE):
                    byes[guard].append(await to_bye(bench, guard))
            words = [await to_words(bench) for _ in range(RUNS)]
            start, share = await overhead(bench)
    table = Table("at the phone, from the fault to", "median", "best", "worst", "runs")
    row(table, "BYE, hand-written try/except", byes["hand-written"])
    row(table, "BYE, onhook with HangUp()", byes["silent"])
    row(table, "first rescue audio, cached", words)
    console.print(table)
    ratio = statistics.median(byes["silent"]) / statistics.median(byes["hand-written"])
    console.print(f"BYE, onhook against hand-written: {ratio:.2f} (promised: at most 1.2)")
    console.print(f"the guard adds to the entrypoint's start: {1000 * start:.2f} ms (< 5 ms)")
    console.print(f"the guard adds to a healthy call: {100 * share:.2f} % of a core (< 1 %)")


if __name__ == "__main__":
    asyncio.run(main())

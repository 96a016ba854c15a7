"""`make bench-sentinel`: what ring 3 promises under load, measured and printed. Asserts nothing.

`python -m tests.sentinel.load.sentinel_figures CALLS...`: 1000 5000 20000 when omitted.

Costs are seconds of the processor, not of the wall: what else the machine does changes them little.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from tests.sentinel.load.forged_flood import FORGERS, flood
from tests.sentinel.load.parts_figures import (
    Reconciliation,
    Verdicts,
    bytes_a_call,
    reconcile,
    verdicts,
    webhooks,
)
from tests.sentinel.load.service_figures import Service, service
from tests.sentinel.load.webhook_post import Delivery

CALLS = (1_000, 5_000, 20_000)
FORGED = 10_000
_BUSY = 1.0
"""Load of the machine from which on the verdicts of the real process say little."""


@dataclass(frozen=True)
class Parts:
    """What the parts cost, and when they judge."""

    cost: Reconciliation
    memory: float
    webhooks: float
    told: Verdicts
    untold: Verdicts


def parts(calls: int) -> Parts:
    return Parts(
        asyncio.run(reconcile(calls)),
        bytes_a_call(calls),
        statistics.median(webhooks(calls) for _ in range(3)),
        asyncio.run(verdicts(calls)),
        asyncio.run(verdicts(calls, how=Delivery(dropped=1.0))),
    )


def show(
    console: Console,
    title: str,
    sizes: Sequence[int],
    rows: Sequence[tuple[str, str, Callable[[int], str]]],
) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    table.add_column("goal", justify="right")
    for name, goal, value in rows:
        table.add_row(name, *(value(size) for size in sizes), goal)
    console.print(table)


def show_parts(console: Console, sizes: Sequence[int], got: dict[int, Parts]) -> None:
    def growth(size: int) -> str:
        first = sizes[0]
        more = got[size].cost.whole / got[first].cost.whole
        return f"{more:.1f} for {size / first:.0f}"

    show(
        console,
        "the parts, on a clock of their own; seconds of one core",
        sizes,
        [
            ("one reconciliation", "< 2 s", lambda n: f"{got[n].cost.whole:.3f} s"),
            ("  growth", "linear", growth),
            ("  listed and decoded", "", lambda n: f"{got[n].cost.listing:.3f} s"),
            ("  folded, whom to list", "", lambda n: f"{got[n].cost.folding:.3f} s"),
            ("  all calls judged", "", lambda n: f"{got[n].cost.judging:.3f} s"),
            ("requests a minute", "<= 300", lambda n: f"{got[n].told.spent:.0f}"),
            ("webhooks/s, one core", ">= 2,000", lambda n: f"{got[n].webhooks:,.0f}"),
            ("bytes a call, tracemalloc", "<= 4,096", lambda n: f"{got[n].memory:,.0f}"),
            ("verdict p99 after grace", "<= 1 s", lambda n: f"{got[n].told.p99:.1f} s"),
            ("  not judged", "0", lambda n: str(got[n].told.missed)),
            ("  healthy calls judged", "0", lambda n: str(got[n].told.healthy)),
            ("polls alone: verdict p99", "", lambda n: f"{got[n].untold.p99:.1f} s"),
            ("  not judged in time", "", lambda n: str(got[n].untold.missed)),
            ("  healthy calls judged", "0", lambda n: str(got[n].untold.healthy)),
        ],
    )


def show_service(console: Console, sizes: Sequence[int], got: dict[int, Service | str]) -> None:
    def told(value: Callable[[Service], str]) -> Callable[[int], str]:
        def cell(size: int) -> str:
            found = got[size]
            return found if isinstance(found, str) else value(found)

        return cell

    def millis(name: str) -> Callable[[Service], str]:
        return lambda s: f"{1000 * s.figures[name]:.0f} ms"

    def rss(size: int) -> str:
        return told(lambda s: f"{s.figures['memory'] / size:,.0f}")(size)

    show(
        console,
        "`onhook sentinel` in its own process, in observe; all over HTTP",
        sizes,
        [
            ("incident after grace: median", "", told(lambda s: f"{s.median:.1f} s")),
            ("  worst", "<= 1 s", told(lambda s: f"{s.worst:.1f} s")),
            ("  broken calls, missed", "0", told(lambda s: f"{len(s.late)}, {s.missed}")),
            ("  healthy with incident", "0", told(lambda s: str(s.healthy))),
            ("requests, of the budget", "<= 100 %", told(lambda s: f"{100 * s.requests:.0f} %")),
            ("webhooks/s that came", "", told(lambda s: f"{s.webhooks:.0f}")),
            ("share of one core", "< 1", told(lambda s: f"{s.figures['cores']:.2f}")),
            ("bytes a call, by RSS", "<= 4,096", rss),
            ("longest block of the loop", "100 ms", told(millis("worst_block"))),
            ("  p99", "", told(millis("p99_block"))),
            ("  garbage collection", "", told(millis("worst_collection"))),
        ],
    )


async def measured(calls: int) -> Service | str:
    try:
        return await service(calls)
    except (TimeoutError, OSError, ValueError) as error:
        return f"no: {type(error).__name__}"


def main() -> None:
    console = Console(highlight=False, width=80)
    logging.getLogger("onhook").setLevel(logging.CRITICAL)
    sizes = [int(each) for each in sys.argv[1:]] or list(CALLS)
    with contextlib.suppress(OSError):
        load = os.getloadavg()[0]
        if load > _BUSY:
            console.print(f"the machine is busy (load {load:.1f}): the second table says little")
    show_parts(console, sizes, {size: parts(size) for size in sizes})
    drowned = asyncio.run(flood(FORGED))
    times = drowned.beside / drowned.alone
    refused = drowned.receiver.refused["webhook"].counts.total()
    console.print(
        f"{refused:,} forged webhooks from {FORGERS} sides are refused; meanwhile a genuine one "
        f"takes\n{times:.1f} times as long: {1000 * drowned.beside:.1f} ms, with both ends in "
        "one loop\n"
    )
    show_service(console, sizes, {size: asyncio.run(measured(size)) for size in sizes})


if __name__ == "__main__":
    main()

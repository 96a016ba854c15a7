"""A sentinel's process that measures itself: how long its loop is blocked, and what it costs.

`python -m tests.sentinel.load.measured_sentinel SETTINGS.json`: prints figures as JSON at the end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from pathlib import Path

import psutil

from onhook.sentinel.sentinel_settings import Address, SentinelSettings
from onhook.sentinel.service import serve

_BEAT = 0.005


class Beat:
    """How much of the processor one turn of the loop takes: what other processes do counts not."""

    def __init__(self) -> None:
        self.blocks: list[float] = []

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(_BEAT)
            self.blocks.append(time.thread_time() - before)


async def main(path: Path) -> None:
    """Run it until SIGTERM."""
    given = json.loads(path.read_text())
    collecting = {"worst": 0.0, "began": 0.0}

    def collected(phase: str, _: object) -> None:
        if phase == "start":
            collecting["began"] = time.thread_time()
        else:
            took = time.thread_time() - collecting["began"]
            collecting["worst"] = max(collecting["worst"], took)

    gc.callbacks.append(collected)
    beat, began = Beat(), time.monotonic()
    settings = SentinelSettings(
        observe=True,
        webhook=Address("127.0.0.1", given["port"]),
        budget=given["budget"],
        journal=Path(given["journal"]),
        outages=Path(given["outages"]),
    )
    before = psutil.Process().memory_info().rss
    beating, cpu = asyncio.create_task(beat.run()), time.process_time()
    await serve(settings)
    cpu = time.process_time() - cpu
    beating.cancel()
    blocks = sorted(beat.blocks)
    figures = {
        "cores": cpu / (time.monotonic() - began),
        "worst_block": blocks[-1],
        "p99_block": blocks[int(0.99 * len(blocks))],
        "worst_collection": collecting["worst"],
        "memory": psutil.Process().memory_info().rss - before,
    }
    print(json.dumps(figures))  # noqa: T201 - a program


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(main(Path(sys.argv[1])))

"""The real sentinel in a process of its own beside the stand-in: `onhook sentinel`, in observe."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import math
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from onhook.sentinel.signals.budget import Budget
from onhook.sinks.journal import SqliteJournal, Step
from onhook.tasks import end
from tests.sentinel.line.sentinels import free_port
from tests.sentinel.load.api_stand_in import KEY, SECRET, ApiStandIn
from tests.sentinel.load.call_traffic import Broken, CallTraffic, Planted
from tests.sentinel.load.http_connection import HttpConnection
from tests.sentinel.load.parts_figures import GRACE
from tests.sentinel.load.parts_loop import BUDGET
from tests.sentinel.load.server_rooms import ServerRooms
from tests.sentinel.load.webhook_post import WebhookPost, signed

__all__ = ["PROOF", "Service", "service"]

PROOF = 2.7
"""Seconds that two questions to a lost host's agent take: the second is asked 0.7 s after the
first, and one that is not acknowledged is given up after 2 s."""
_START, _SETTLE, _WAIT = 30.0, 5.0, 10.5
_LEASE = 1.0
_TTL = 55
_ENDS = 15.0


@dataclass
class Service:
    """What was measured.

    Args:
        late: Seconds after the grace by which each broken call had its incident.
        missed: Broken calls without one.
        healthy: Incidents of healthy calls.
        requests: To the API, as a part of what the budget allows for that long.
        webhooks: A second, that came.
        figures: What the process measured of itself.
    """

    late: list[float]
    missed: int
    healthy: int
    requests: float
    webhooks: float
    figures: dict[str, Any]

    @property
    def median(self) -> float:
        return statistics.median(self.late) if self.late else math.inf

    @property
    def worst(self) -> float:
        return max(self.late, default=math.inf)


async def service(calls: int, *, plants: int = 3, every: float = 1.0) -> Service:
    """Run a sentinel beside so many calls, break some, and find out when it opened incidents."""
    rooms = ServerRooms()
    async with ApiStandIn(rooms) as server:
        traffic = CallTraffic(rooms, server.dead)
        traffic.fill(calls, plants)
        post = WebhookPost(KEY, SECRET)
        rooms.told = post.take
        gc.collect()
        gc.freeze()  # the stand-in must not be what is slow
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "incidents.db"
            async with _running(server, Path(folder), journal) as (process, port):
                began = time.monotonic()
                tasks = [
                    asyncio.create_task(work)
                    for work in (traffic.run(calls), _renew(traffic, port), post.run(port))
                ]
                await asyncio.sleep(_SETTLE)
                for each in range(3 * plants):
                    traffic.plant(list(Broken)[each % 3])
                    await asyncio.sleep(every)
                await asyncio.sleep(_WAIT)
                now = time.monotonic()
                took = now - began
                # a budget counts from its first request on, and that is before all is ready
                requests = server.asked.total() + server.refused.total()
                part = requests / _allowed(now - (server.first_at or now))
                figures = await _ended(process)
                await end(*tasks)
            opened = _opened(journal)
    late = [_late(p, opened[p.room]) for p in traffic.planted if p.room in opened]
    return Service(
        late,
        len(traffic.planted) - len(late),
        len(opened.keys() - {planted.room for planted in traffic.planted}),
        part,
        post.answers[200] / took,
        figures,
    )


@contextlib.asynccontextmanager
async def _running(
    server: ApiStandIn, folder: Path, journal: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port, given = free_port(), folder / "settings.json"
    outages = str(folder / "outages.json")
    told = {"port": port, "budget": BUDGET, "journal": str(journal), "outages": outages}
    given.write_text(json.dumps(told))
    env = {
        **os.environ,
        "LIVEKIT_URL": server.credentials.url,
        "LIVEKIT_API_KEY": KEY,
        "LIVEKIT_API_SECRET": SECRET,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.sentinel.load.measured_sentinel", str(given)),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            await _answers(port)
            yield process, port
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(_START), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/healthz"):
                    return
            await asyncio.sleep(0.1)


async def _ended(process: asyncio.subprocess.Process) -> dict[str, Any]:
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    async with asyncio.timeout(_ENDS):
        told = await process.stdout.read()
    return dict(json.loads(told))


async def _renew(traffic: CallTraffic, port: int) -> None:
    """Post the leases of all hosts each second, spread over it as those of many hosts are."""
    async with HttpConnection(port) as connection:
        while True:
            began = time.monotonic()
            hosts = [host for host in traffic.hosts if not host.lost]
            for number, host in enumerate(hosts, 1):
                now = time.time()
                letter = signed(msgspec.json.encode(host.lease()), KEY, SECRET, now, ttl=_TTL)
                if not host.lost:
                    host.renewed = now
                    await connection.post("/lease", letter.body, f"Bearer {letter.token}")
                wait = began + _LEASE * number / len(hosts) - time.monotonic()
                await asyncio.sleep(max(0.0, wait))


def _opened(path: Path) -> dict[str, float]:
    """Return when the first incident of each room was opened, in seconds since 1970."""
    found: dict[str, float] = {}
    with contextlib.closing(SqliteJournal(path)) as journal:
        for entry in journal.since(0)[1]:
            if entry.step is Step.OPENED and entry.opening is not None:
                found.setdefault(entry.opening.room, entry.wall)
    return found


def _allowed(seconds: float) -> float:
    """Return how many requests a budget allows from its start on: some at once, the rest evenly."""
    budget = Budget(BUDGET, clock=lambda: 0.0)
    return budget.left + (BUDGET - budget.left) / 60 * seconds


def _late(planted: Planted, opened: float) -> float:
    proof = PROOF if planted.broken is Broken.HOST_LOST else 0.0
    return opened - planted.at - GRACE[planted.broken] - proof

"""Servers that are killed and come back during calls: `make sentinel-rows`.

What becomes of a call is the server's matter. The sentinel says nothing to one that goes on, ends
what is left of one that does not, and loses no incident; its table is right within one poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from livekit import api

from onhook.bench.phone.call_report import Report
from onhook.bench.stack import Stack
from onhook.sinks.journal import Step
from tests.line.bench import Worker, worker
from tests.sentinel.line.calls import PlainCall, call_to, server
from tests.sentinel.line.sentinels import RunningSentinel, free_port, sentinel
from tests.sentinel.line.test_rows import tell

pytestmark = [pytest.mark.stack, pytest.mark.case, pytest.mark.asyncio(loop_scope="session")]

logger = logging.getLogger("tests.sentinel")

SERVERS = ("redis-server", "livekit-sip", "livekit-server")
DOWN = 2.0
POLL = 2.0
NOISE = 4.0
FOLLOWED = {"redis-server": 20.0, "livekit-sip": 40.0, "livekit-server": 75.0}
"""Seconds after the restart for which a call is looked at."""


@dataclass
class Restarts:
    """A stack of its own, whose servers may be killed, and a sentinel at its defaults."""

    stack: Stack
    sentinel: RunningSentinel
    worker: Worker

    async def restart(self, name: str) -> float:
        """Kill a server, and start it again after a while; return when it answered."""
        self.stack.kill(name)
        await asyncio.sleep(DOWN)
        await self.stack.restart(name)
        return time.monotonic()

    async def agrees(self, since: float) -> float:
        """Wait until the sentinel knows as many calls as there are; return how long that took."""
        while True:
            rooms = await rooms_of(self.stack)
            known = (await self.sentinel.status())["calls"]
            if rooms == known:
                return time.monotonic() - since
            assert time.monotonic() - since < 60.0, f"{known} calls for {rooms} rooms"
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def restarts(folder: Path) -> AsyncIterator[Restarts]:
    port = free_port()
    hook = f"http://127.0.0.1:{port}/webhook"
    async with (
        Stack(folder=folder / "stack", webhooks=[hook], keeps=True) as stack,
        sentinel(stack, folder / "sentinel", port) as running,
        worker(stack, folder, "tests.agents.plain", ONHOOK_TEST_IDLE="1") as host,
    ):
        yield Restarts(stack, running, host)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_healthy_call(tmp_path: Path, name: str) -> None:
    async with (
        restarts(tmp_path) as servers,
        call_to(servers.stack, servers.worker, "healthy") as call,
    ):
        await call.greeted()
        await asyncio.sleep(6.0)
        killed = time.monotonic()
        back = await servers.restart(name)
        agreed = await servers.agrees(back)
        tell(f"{name}, healthy: the table is right", agreed)
        report = await followed(call, FOLLOWED[name])
        show(f"{name}, healthy", report, killed)
        opened = servers.sentinel.entries(Step.OPENED)
        logger.info("opened: %s", [(e.subject, e.wall) for e in opened])
        logger.info(
            "rooms %s, status %s", await rooms_of(servers.stack), await servers.sentinel.status()
        )
        logger.info("\n%s", servers.sentinel.tail())


@pytest.mark.parametrize("name", SERVERS)
async def test_an_incident(tmp_path: Path, name: str) -> None:
    async with (
        restarts(tmp_path) as servers,
        call_to(servers.stack, servers.worker, "broken") as call,
    ):
        await call.greeted()
        await asyncio.sleep(6.0)
        struck = await call.tell("kill")
        await asyncio.sleep(2.0)
        back = await servers.restart(name)
        agreed = await servers.agrees(back)
        tell(f"{name}, incident: the table is right", agreed)
        report = await followed(call, FOLLOWED[name])
        show(f"{name}, incident", report, struck)
        opened = servers.sentinel.entries(Step.OPENED)
        closed = servers.sentinel.entries(Step.CLOSED)
        logger.info("opened: %s", [(e.subject, e.wall) for e in opened])
        logger.info("closed: %s", closed)
        logger.info("\n%s", servers.sentinel.tail())


async def followed(call: PlainCall, seconds: float) -> Report:
    """Wait until a call has ended, or for so long."""
    with contextlib.suppress(Exception):
        return await call.phone.ended(timeout=seconds)
    return call.phone.report()


def show(what: str, report: Report, since: float) -> None:
    heard = [
        (round(s.start - since, 1), round(s.end - since, 1))
        for s in report.hearing.stretches
        if s.audible and s.end > since - 2
    ]
    ended = None if report.ended_at is None else round(report.ended_at - since, 1)
    logger.info("%s: %s at %s; heard %s", what, report.how, ended, heard)


async def rooms_of(stack: Stack) -> int:
    async with server(stack) as client, asyncio.timeout(10.0):
        return len((await client.room.list_rooms(api.ListRoomsRequest())).rooms)

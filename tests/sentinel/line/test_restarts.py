"""Servers that are killed and come back during calls: `make sentinel-rows`.

What becomes of a call is the server's matter. The sentinel says nothing to one that goes on, ends
what is left of one that does not, and loses no incident; its table is right within one poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from livekit import api

from onhook.bench.phone import Ending
from onhook.bench.phone.call_report import Report
from onhook.bench.stack import Stack
from onhook.sinks.journal import Step
from tests.line.bench import Worker, worker
from tests.sentinel.line.calls import call_to, server
from tests.sentinel.line.sentinels import RunningSentinel, free_port, sentinel
from tests.sentinel.line.test_rows import last_words, tell

pytestmark = [
    pytest.mark.stack,
    pytest.mark.case,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]

DOWN = 2.0
POLL = 2.0
NOISE = 4.0
LOST = 8.0
"""Seconds to the first word for an agent that is dead, the time without a server apart."""
REJOIN = 20.0
"""Seconds until those who were in a room when its server died are taken for gone: those who live
join again within 5 to 10 s."""
REJOINED = {"redis-server": 0.0, "livekit-server": REJOIN}
WATCHED = 15.0
VOICE = 4.0
"""Seconds of a healthy call within which its agent is heard."""
LEG = 45.0
"""Seconds after which a room ends whose phones' server has died: theirs for a connection, and that
of the agent for leaving."""


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


@pytest.mark.parametrize("name", ["redis-server", "livekit-server"])
async def test_a_healthy_call_goes_on(tmp_path: Path, name: str) -> None:
    """Without Redis nothing is missing; after its server's death everybody joins again."""
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
        await asyncio.sleep(REJOIN + WATCHED)
        report = call.phone.report()
        tell(f"{name}, healthy: the longest silence", longest_silence(report, killed))
        assert report.ending is None, report.how
        assert time.monotonic() - last_sound(report) <= VOICE, "the agent is not heard any more"
        assert agreed <= POLL + NOISE
        assert await servers.agrees(time.monotonic()) <= POLL + NOISE
        assert servers.sentinel.entries(Step.OPENED) == [], servers.sentinel.tail()
        await call.phone.hang_up()


async def test_a_call_whose_phone_server_dies_is_over(tmp_path: Path) -> None:
    """livekit-sip sends no BYE when it is killed: nobody can say anything to that phone."""
    async with (
        restarts(tmp_path) as servers,
        call_to(servers.stack, servers.worker, "healthy") as call,
    ):
        await call.greeted()
        await asyncio.sleep(6.0)
        killed = time.monotonic()
        back = await servers.restart("livekit-sip")
        tell("livekit-sip, healthy: the table is right", await servers.agrees(back))
        async with asyncio.timeout(LEG):
            while await rooms_of(servers.stack):  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.2)
        emptied = time.monotonic()
        tell("livekit-sip, healthy: the room is gone", emptied - killed)
        assert await servers.agrees(emptied) <= POLL + NOISE
        assert call.phone.report().hearing.first_sound(killed + 1.0) is None
        assert servers.sentinel.entries(Step.OPENED) == [], servers.sentinel.tail()


async def test_a_call_after_the_phone_server_came_back_is_taken(tmp_path: Path) -> None:
    async with restarts(tmp_path) as servers:
        await servers.restart("livekit-sip")
        async with call_to(servers.stack, servers.worker, "next") as call:
            await call.greeted()
            await call.phone.hang_up()
        assert servers.sentinel.entries(Step.OPENED) == [], servers.sentinel.tail()


@pytest.mark.parametrize("name", ["redis-server", "livekit-sip", "livekit-server"])
async def test_no_incident_is_lost(tmp_path: Path, name: str) -> None:
    """An agent dies, and before it is noticed a server does, too."""
    async with (
        restarts(tmp_path) as servers,
        call_to(servers.stack, servers.worker, "broken") as call,
    ):
        await call.greeted()
        await asyncio.sleep(6.0)
        struck = await call.tell("kill")
        await asyncio.sleep(1.0)
        back = await servers.restart(name)
        tell(f"{name}, incident: the table is right", await servers.agrees(back))
        closed = await servers.sentinel.closed(deadline=REJOIN + 40.0)
        async with asyncio.timeout(LEG):
            while await rooms_of(servers.stack):  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.2)
        emptied = time.monotonic()
        tell(f"{name}, incident: the room is gone", emptied - struck)
        assert await servers.agrees(emptied) <= POLL + NOISE
        assert closed.subject == "released", servers.sentinel.tail()
        assert len(servers.sentinel.entries(Step.OPENED)) == 1
        report = call.phone.report()
    if name != "livekit-sip":  # that phone has nobody any more
        words = last_words(report) - struck
        tell(f"{name}, incident: words", words)
        assert words <= LOST + (back - struck) + REJOINED[name] + NOISE, servers.sentinel.tail()
        assert report.ending is Ending.BYE_RECEIVED


def last_sound(report: Report) -> float:
    return max((s.end for s in report.hearing.stretches if s.audible), default=0.0)


def longest_silence(report: Report, since: float) -> float:
    sounds = [s for s in report.hearing.stretches if s.audible and s.end > since - 3.0]
    return max(b.start - a.end for a, b in itertools.pairwise(sounds))


async def rooms_of(stack: Stack) -> int:
    async with server(stack) as client, asyncio.timeout(10.0):
        return len((await client.room.list_rooms(api.ListRoomsRequest())).rooms)

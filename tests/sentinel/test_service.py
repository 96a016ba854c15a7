"""Whole sentinels, one alone and two with one Redis, before a server that answers as scripted."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from livekit.protocol.models import Room
from livekit.protocol.room import ListRoomsResponse

from onhook.livekit import Credentials
from onhook.sentinel.canary import CanaryState
from onhook.sentinel.canary_settings import CanarySettings
from onhook.sentinel.sentinel_settings import Address, SentinelSettings
from onhook.sentinel.service import Sentinel
from tests.livekit.twirp import Twirp, says, twirp
from tests.sentinel.fleet.conftest import own_redis
from tests.sentinel.fleet.redis_server import RedisServer
from tests.sentinel.signals.events import KEY, SECRET, event, signed

__all__ = ["own_redis"]

ROOMS = says(ListRoomsResponse(rooms=[Room(name="call-1", sid="RM_1", num_participants=1)]))


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    credentials: Credentials,
    redis: str,
    *,
    observe: bool = True,
    canary: str = "",
    token: str = "",
) -> AsyncIterator[Sentinel]:
    """Run a sentinel on a free port, until the context is left."""
    given = SentinelSettings(
        observe=observe,
        canary=CanarySettings(guarded=(canary,) if canary else (), bound=0.5),
        webhook=Address(port=0),
        poll=0.5,
        redis=redis,
        token=token,
        journal=folder / "incidents.db",
        outages=folder / "outages.json",
    )
    told = asyncio.Event()
    async with Sentinel(given, credentials) as sentinel:
        task = asyncio.create_task(sentinel.run_until(told))
        try:
            await until(lambda: sentinel.port is not None or task.done())
            yield sentinel
        finally:
            told.set()
            await task


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def post(sentinel: Sentinel, body: bytes) -> int:
    headers = {"Authorization": signed(body), "Content-Type": "application/webhook+json"}
    address = f"http://127.0.0.1:{sentinel.port}/webhook"
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status


def credentials(server: Twirp) -> Credentials:
    return replace(server.credentials, key=KEY, secret=SECRET)


async def test_one_alone_polls_and_keeps_its_claims_beside_the_journal(tmp_path: Path) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        await until(lambda: server.calls.count("ListRooms") >= 2)
        status = sentinel.status()
        assert status["fleet"]["polls"]
        assert status["failing"] == []
    assert list(tmp_path.glob("sentinel-*-observe.db"))


async def test_it_tells_of_an_agent_that_takes_no_calls(tmp_path: Path) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "", observe=False, canary="front-desk") as sentinel,
    ):
        await until(lambda: bool(sentinel.status()["canaries"]))
        assert sentinel.status()["canaries"] == {"front-desk": str(CanaryState.NOT_TAKEN)}
        assert server.calls.count("CreateRoom") == server.calls.count("DeleteRoom") == 1


async def test_who_only_observes_asks_no_agent(tmp_path: Path) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "", canary="front-desk") as sentinel,
    ):
        await until(lambda: server.calls.count("ListRooms") >= 2)
        assert sentinel.status()["canaries"] == {}
        assert "CreateRoom" not in server.calls


async def test_of_two_one_polls_and_both_hear_every_webhook(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path / "a", credentials(server), own_redis.url) as a,
        running(tmp_path / "b", credentials(server), own_redis.url) as b,
    ):
        assert await post(b, event("participant_joined")) == 200
        await until(lambda: a.status()["calls"] == b.status()["calls"] == 1)
        await until(lambda: a.status()["polls"]["last"] is not None)
        assert [one.status()["fleet"]["polls"] for one in (a, b)] == [True, False]
        assert b.status()["polls"]["last"] is None
        own_redis.kill()
        await until(lambda: bool(a.status()["failing"]) and bool(b.status()["failing"]))
        assert "goes on alone since" in a.status()["failing"][0]
        await until(lambda: b.status()["polls"]["last"] is not None)
        own_redis.start()
        await until(lambda: not (a.status()["failing"] or b.status()["failing"]))
        await until(lambda: [x.status()["fleet"]["polls"] for x in (a, b)].count(True) == 1)


async def test_without_its_redis_it_begins_and_says_so(
    tmp_path: Path, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.kill()
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), own_redis.url) as sentinel,
    ):
        await until(lambda: sentinel.status()["polls"]["last"] is not None)
        assert sentinel.status()["failing"]
    assert "this sentinel goes on alone" in caplog.text

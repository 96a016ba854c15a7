from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from onhook.errors import ConfigurationError
from onhook.sentinel.fleet.claims import Claim, FleetUnavailableError, Refused
from onhook.sentinel.fleet.fleet import Fleet
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.fleet.once import once
from onhook.sentinel.sightings import RoomGone, Sighting
from tests.sentinel.fleet.redis_server import RedisServer
from tests.sentinel.fleet.telling import opened, outcome
from tests.sentinel.fleet.test_failover import Way
from tests.sentinel.fleet.test_sighting_stream import until

CALL, TTL = "RM_1", 6.0


async def test_a_single_sentinel_needs_a_file_or_nothing(tmp_path: Path) -> None:
    for file in (tmp_path / "claims.db", None):
        async with Fleet(file=file) as fleet:
            assert fleet.leads
            assert fleet.health is None
            fleet.tell(RoomGone("room", "RM_1"))
            claim = await fleet.claims.claim(CALL, fleet.owner, TTL)
            assert isinstance(claim, Claim)
            await fleet.claims.release(claim, outcome(), [opened()])
            json.dumps(fleet.status())
    async with Fleet(file=tmp_path / "claims.db") as again:
        assert isinstance(await again.claims.claim(CALL, again.owner, TTL), Refused)


async def test_a_disk_that_is_full_stops_no_rescue(tmp_path: Path) -> None:
    (tmp_path / "claims.db").mkdir()
    async with Fleet(file=tmp_path / "claims.db") as fleet:
        claim = await fleet.claims.claim(CALL, fleet.owner, TTL)
        assert isinstance(claim, Claim)
        assert "cannot use the claims" in fleet.status()["file"]


async def test_three_share_calls_facts_and_the_poll(redis_server: RedisServer) -> None:
    name = uuid.uuid4().hex
    heard: list[Sighting] = []
    first, second, third = (
        Fleet(redis=redis_server.url, name=name, receive=heard.append) for _ in range(3)
    )
    async with second, third:
        async with first:
            assert isinstance(await first.claims.claim(CALL, first.owner, TTL), Claim)
            assert isinstance(await second.claims.claim(CALL, second.owner, TTL), Refused)
            assert [one.leads for one in (first, second, third)].count(True) == 1
            first.tell(RoomGone("room", "RM_1"))
            await until(lambda: len(heard) == 2)
            await until(lambda: all(one.health and len(one.health.members) == 3 for one in (
                first, second, third,
            )))  # fmt: skip
        for one in (second, third):
            assert json.loads(json.dumps(one.status()))["degraded"] is False


async def test_without_its_redis_it_begins_degraded_and_says_why(own_redis: RedisServer) -> None:
    own_redis.kill()
    async with Fleet(redis=own_redis.url) as fleet:
        assert fleet.leads, "somebody has to poll"
        health = fleet.health
        assert health is not None
        assert health.degraded
        assert "is it up" in health.why
        answer = await fleet.claims.claim(CALL, fleet.owner, TTL)
        assert isinstance(answer, Refused), "others may be there: it waits for its turn"
        await asyncio.sleep(max(0.0, answer.until - asyncio.get_running_loop().time()))
        claim = await fleet.claims.claim(CALL, fleet.owner, TTL)
        assert isinstance(claim, Claim)
        await fleet.claims.release(claim, outcome(), [opened()])
        own_redis.start()
        await until(lambda: fleet.health is not None and not fleet.health.degraded)
        async with Fleet(redis=own_redis.url) as other:
            refused = await other.claims.claim(CALL, other.owner, TTL)
            assert isinstance(refused, Refused)
            assert refused.finished is not None


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Fleet(redis="localhost")


async def test_of_all_who_would_do_something_one_does_it() -> None:
    claims = MemoryClaims()
    asked = [once(claims, CALL, "second-dispatch", name) for name in "abcde"]
    assert sorted(await asyncio.gather(*asked)) == [False, False, False, False, True]
    assert not await once(claims, CALL, "second-dispatch", "a")
    assert await once(claims, CALL, "another", "a")
    assert isinstance(await claims.claim(CALL, "a", TTL), Claim), "the rescue is another thing"
    way = Way(claims)
    way.cut = True
    with pytest.raises(FleetUnavailableError):
        await once(way, "RM_2", "second-dispatch", "a")


def test_what_runs_on_an_agent_s_host_does_not_load_it() -> None:
    program = "import sys, onhook, onhook.watchdog.__main__; print('redis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"

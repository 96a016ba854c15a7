from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType

import pytest

from onhook.call import Leg, LegKind
from onhook.sentinel.fleet.redis_client import RedisClient
from onhook.sentinel.fleet.sighting_codec import LIMIT, SightingError, aged, decode, encode
from onhook.sentinel.fleet.sighting_stream import SightingStream
from onhook.sentinel.sightings import (
    AgentJob,
    HostLease,
    LeasedJob,
    Member,
    MemberGone,
    MemberSeen,
    MembersListed,
    RoomGone,
    RoomSeen,
    RoomsListed,
    Sighting,
    TrackChanged,
)
from onhook.tasks import end
from tests.sentinel.fleet.redis_server import RedisServer

MEMBER = Member(
    "PA_1", Leg("sip_1", LegKind.CALLER), 3, 1.0, MappingProxyType({"sip.callID": "SCL_1"})
)
LEASE = HostLease("host-1", 3.0, (LeasedJob("room", "agent-1", "AJ_1", rescue_until=2.0),))
TRAVELS: list[Sighting] = [
    RoomSeen("room", "RM_1", 1.5, 2, '{"tags": ["sales"]}'),
    RoomGone("room", "RM_1"),
    MemberSeen("room", "RM_1", MEMBER),
    MemberGone("room", "RM_1", "PA_1", "sip_1", "CLIENT_INITIATED"),
    TrackChanged("room", "RM_1", "PA_1", "sip_1", "TR_1", audible=True, published=True),
    AgentJob("room", "AJ_1", "agent", "ended", "NO_CAPACITY"),
    LEASE,
]


class Instance:
    """One sentinel's end of the stream, and what it heard."""

    def __init__(self, url: str, fleet: str, name: str, **more: object) -> None:
        self.heard: list[Sighting] = []
        self.client = RedisClient(url)
        self.stream = SightingStream(
            *(self.client, self.heard.append),
            fleet=fleet,
            origin=name,
            **more,  # type: ignore[arg-type]
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Instance]:
        tasks = [asyncio.create_task(part()) for part in (self.stream.write, self.stream.read)]
        try:
            yield self
        finally:
            await end(*tasks)
            await self.client.aclose()


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("sighting", TRAVELS, ids=lambda one: type(one).__name__)
def test_a_fact_survives_the_way(sighting: Sighting) -> None:
    assert decode(*encode(sighting)) == sighting


@pytest.mark.parametrize(
    "sighting",
    [
        RoomsListed(1.0, ()),
        MembersListed("room", 1.0, (MEMBER,)),
        RoomSeen("room", "RM_1", metadata="x" * LIMIT),
    ],
    ids=["rooms", "members", "long"],
)
def test_a_list_and_what_is_too_long_do_not_travel(sighting: Sighting) -> None:
    with pytest.raises(SightingError):
        encode(sighting)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("RoomsListed", b"{}"), ("Newer", b"{}"), ("RoomGone", b'{"room": 1}'), ("RoomGone", b"\xff")],
)
def test_what_is_none_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(SightingError):
        decode(kind, body)


def test_a_lease_that_was_on_its_way_is_shorter_by_that() -> None:
    left = aged(LEASE, 1.0)
    assert isinstance(left, HostLease)
    assert (left.ttl, left.jobs[0].rescue_until) == (2.0, 1.0)
    assert aged(LEASE, 3.0) is None
    assert aged(LEASE, -0.1) == LEASE
    assert aged(TRAVELS[0], 100.0) == TRAVELS[0]


async def test_every_instance_hears_what_any_of_them_was_told(redis_server: RedisServer) -> None:
    fleet = uuid.uuid4().hex
    ends = [Instance(redis_server.url, fleet, name) for name in "abc"]
    async with ends[0].running(), ends[1].running(), ends[2].running():
        for number, sighting in enumerate(TRAVELS):
            ends[number % 2].stream.tell(sighting)
        await until(lambda: len(ends[2].heard) == len(TRAVELS))
        await until(lambda: len(ends[0].heard) + len(ends[1].heard) == len(TRAVELS))
    kinds = {type(one) for one in ends[2].heard}
    assert kinds == {type(one) for one in TRAVELS}
    assert [one for one in TRAVELS[0::2] if one is not LEASE] == [
        one for one in ends[1].heard if not isinstance(one, HostLease)
    ]
    assert [end_.stream.lost for end_ in ends] == [0, 0, 0]


async def test_who_starts_late_reads_a_little_of_the_past(redis_server: RedisServer) -> None:
    fleet = uuid.uuid4().hex
    first = Instance(redis_server.url, fleet, "a")
    async with first.running():
        for sighting in TRAVELS:
            first.stream.tell(sighting)
        await until(lambda: first.stream.told == len(TRAVELS))
        late, deaf = (
            Instance(redis_server.url, fleet, "b"),
            Instance(redis_server.url, fleet, "c", backlog=0.0),
        )
        await asyncio.sleep(0.02)
        async with late.running(), deaf.running():
            await until(lambda: len(late.heard) == len(TRAVELS))
            lease = late.heard[-1]
            assert isinstance(lease, HostLease)
            assert 2.0 < lease.ttl < 3.0
        assert deaf.heard == []


async def test_the_stream_is_bounded_and_what_was_cut_off_is_noticed(
    redis_server: RedisServer,
) -> None:
    fleet = uuid.uuid4().hex
    first = Instance(redis_server.url, fleet, "a", limit=200)
    slow = Instance(redis_server.url, fleet, "b")
    async with first.running():
        first.stream.tell(RoomGone("room", "RM_0"))
        await until(lambda: first.stream.told == 1)
        await slow.stream._begin()
        await slow.stream._hear()
        assert len(slow.heard) == 1
        for number in range(2_000):
            first.stream.tell(RoomGone("room", f"RM_{number}"))
        await until(lambda: first.stream.told == 2_001)
        key = f"{{onhook:{fleet}}}:sightings"
        kept = await first.client.command("XLEN", key)
        assert kept < 400  # MAXLEN ~ keeps whole nodes
        while await slow.client.command("XLEN", key) > len(slow.heard) - 1:
            await slow.stream._hear()
    assert slow.stream.lost == 2_001 - len(slow.heard)
    await slow.client.aclose()


async def test_redis_gone_nothing_waits_and_it_goes_on_when_it_is_back(
    own_redis: RedisServer,
) -> None:
    one, two = (Instance(own_redis.url, "f", name) for name in "ab")
    async with one.running(), two.running():
        one.stream.tell(TRAVELS[0])
        await until(lambda: len(two.heard) == 1)
        own_redis.kill()
        for number in range(20_000):
            one.stream.tell(RoomGone("room", f"RM_{number}"))
        await until(lambda: one.stream.left_out == 20_000)
        own_redis.start()
        await asyncio.sleep(0.6)
        one.stream.tell(TRAVELS[1])
        await until(lambda: len(two.heard) == 2)
        assert two.stream.lost == 20_000


async def test_rubbish_in_the_stream_disturbs_nobody(redis_server: RedisServer) -> None:
    fleet = uuid.uuid4().hex
    one, two = (Instance(redis_server.url, fleet, name) for name in "ab")
    key = f"{{onhook:{fleet}}}:sightings"
    async with one.running(), two.running():
        await one.client.command("XADD", key, "*", "x", "y")
        await one.client.command(
            "XADD", key, "*", "from", b"\xff", "n", "x", "kind", "RoomGone", "body", "{}"
        )
        one.stream.tell(TRAVELS[0])
        await until(lambda: len(two.heard) == 1)
    assert two.stream.lost == 2

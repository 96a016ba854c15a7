from __future__ import annotations

import pytest

from onhook.sentinel.fleet.leader import LeaderLease
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from tests.sentinel.fleet.test_failover import Clock, Way


class Candidates:
    """Two sentinels that may lead."""

    def __init__(self) -> None:
        self.clock = Clock()
        shared = MemoryClaims(clock=self.clock, wall=self.clock.wall)
        self.ways = [Way(shared), Way(shared)]
        self.a, self.b = (
            LeaderLease(way, name, ttl=3.0, clock=self.clock)
            for way, name in zip(self.ways, "ab", strict=True)
        )

    async def step(self) -> list[bool]:
        for one in (self.a, self.b):
            await one.step()
        return self.lead

    @property
    def lead(self) -> list[bool]:
        return [self.a.leads, self.b.leads]


@pytest.fixture
def two() -> Candidates:
    return Candidates()


async def test_one_leads_as_long_as_it_renews(two: Candidates) -> None:
    for _ in range(10):
        assert await two.step() == [True, False]
        two.clock.now += 1
    assert two.b.leader == "a"


async def test_when_the_leader_dies_another_leads_after_the_lease(two: Candidates) -> None:
    await two.step()
    two.clock.now += 2.9
    await two.b.step()
    assert not two.b.leads
    two.clock.now += 0.2
    assert two.lead == [False, False], "a stopped leader does not think that it leads"
    await two.b.step()
    assert two.lead == [False, True]
    await two.step()
    await two.step()
    assert two.lead == [False, True]
    assert two.a.leader == "b"


async def test_a_leader_that_resigns_is_followed_at_once(two: Candidates) -> None:
    await two.step()
    await two.a.resign()
    assert two.lead == [False, False]
    await two.b.step()
    assert two.lead == [False, True]
    await two.a.resign()


async def test_since_when_it_leads_is_since_when_without_a_break(two: Candidates) -> None:
    began = two.clock.now
    for _ in range(5):
        await two.step()
        two.clock.now += 1
    assert two.a.since == began
    two.clock.now += 5
    await two.b.step()
    assert two.b.since == two.clock.now
    await two.step()
    await two.b.resign()
    two.clock.now += 1
    await two.a.step()
    await two.a.step()
    assert two.a.since == two.clock.now


async def test_while_they_cannot_agree_each_leads_for_itself(two: Candidates) -> None:
    await two.step()
    for way in two.ways:
        way.cut = True
    assert await two.step() == [True, True]
    two.clock.now += 60
    assert await two.step() == [True, True]
    for way in two.ways:
        way.cut = False
    await two.step()
    assert (await two.step()).count(True) == 1
    await two.b.resign()

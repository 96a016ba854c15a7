from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from onhook.incident import Outcome
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet.claims import (
    Claim,
    ClaimLostError,
    Finished,
    FleetUnavailableError,
    LocalClaims,
    Refused,
)
from onhook.sentinel.fleet.failover import FailoverClaims
from onhook.sentinel.fleet.link import Link
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.fleet.redis_claims import RedisClaims
from onhook.sentinel.fleet.redis_client import RedisClient
from onhook.sentinel.fleet.sqlite_claims import SqliteClaims
from tests.sentinel.fleet.contract import ClaimsContract
from tests.sentinel.fleet.redis_server import RedisServer
from tests.sentinel.fleet.telling import climbed, intent, opened, outcome

CALL = "RM_1"
TTL = 6.0
EVERY, FIRST, STAGGER, RESCUE = 0.5, 1.0, 4.0, 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1.7e9 + self.now


class Way:
    """One sentinel's way to what is shared: it can be cut, and an answer can be lost.

    Args:
        shared: What is shared.
    """

    def __init__(self, shared: LocalClaims) -> None:
        self._shared = shared
        self.cut = False
        self.loses_answer = False

    def _out(self) -> None:
        if self.cut:
            raise FleetUnavailableError("cut")

    def _back(self) -> None:
        if self.loses_answer:
            self.loses_answer, self.cut = False, True
        self._out()

    async def claim(self, call: str, owner: str, ttl: float, *, beyond: int = 0) -> Claim | Refused:
        self._out()
        answer = await self._shared.claim(call, owner, ttl, beyond=beyond)
        self._back()
        return answer

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        self._out()
        answer = await self._shared.renew(claim, ttl, events)
        self._back()
        return answer

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        self._out()
        await self._shared.release(claim, outcome, events)
        self._back()

    async def done(self, call: str) -> Finished | None:
        self._out()
        return await self._shared.done(call)

    async def events(self, call: str) -> Sequence[RescueEvent]:
        self._out()
        return await self._shared.events(call)

    async def lapsed(self, limit: int) -> Sequence[str]:
        self._out()
        return await self._shared.lapsed(limit)

    async def recent(self, limit: int) -> Sequence[str]:
        self._out()
        return await self._shared.recent(limit)

    async def members(self, owner: str, ttl: float) -> Sequence[str]:
        self._out()
        return await self._shared.members(owner, ttl)

    async def forget(self, call: str) -> None:
        self._out()
        await self._shared.forget(call)


class Node:
    """One sentinel.

    Args:
        name: Its name.
        shared: What it shares with the others.
        clock: Of all of them.
        local: What it keeps for itself.
    """

    def __init__(
        self, name: str, shared: LocalClaims, clock: Clock, local: LocalClaims | None = None
    ) -> None:
        self.name = name
        self.way = Way(shared)
        self.claims = FailoverClaims(
            self.way,
            local or MemoryClaims(clock=clock, wall=clock.wall),
            owner=name,
            clock=clock,
            wall=clock.wall,
            every=EVERY,
            first=FIRST,
            stagger=STAGGER,
            rescue=RESCUE,
        )

    async def claim(self, call: str = CALL, beyond: int = 0) -> Claim | Refused:
        return await self.claims.claim(call, self.name, TTL, beyond=beyond)

    async def claimed(self, call: str = CALL, beyond: int = 0) -> Claim:
        answer = await self.claim(call, beyond)
        assert isinstance(answer, Claim), answer
        return answer

    async def refused(self, call: str = CALL) -> Refused:
        answer = await self.claim(call)
        assert isinstance(answer, Refused), answer
        return answer


class Fleet:
    """Two or more sentinels that lived a moment ago."""

    def __init__(self, *names: str) -> None:
        self.clock = Clock()
        self.shared = MemoryClaims(clock=self.clock, wall=self.clock.wall)
        self.nodes = [Node(name, self.shared, self.clock) for name in names]

    async def start(self) -> Sequence[Node]:
        for _ in range(2):
            await self.probe()
        return self.nodes

    async def probe(self) -> None:
        for node in self.nodes:
            await node.claims.probe()

    async def cut(self, *nodes: Node) -> None:
        for node in nodes or self.nodes:
            node.way.cut = True
        await self.probe()

    async def mend(self) -> None:
        for node in self.nodes:
            node.way.cut = False
        await self.probe()

    async def settle(self) -> None:
        for _ in range(6):
            self.clock.now += EVERY
            await self.probe()


async def fleet_of(*names: str) -> tuple[Fleet, Sequence[Node]]:
    fleet = Fleet(*names)
    return fleet, await fleet.start()


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
class TestFailoverReached(ClaimsContract):
    """With shared in reach it is like any other."""

    @pytest.fixture
    async def claims(self) -> FailoverClaims:
        shared, local = MemoryClaims(clock=now), MemoryClaims(clock=now)
        return FailoverClaims(shared, local, owner="a", clock=now)


@pytest.mark.looptime
class TestFailoverGone(ClaimsContract):
    """Without it, and nobody else known, too."""

    @pytest.fixture
    async def claims(self) -> FailoverClaims:
        way = Way(MemoryClaims(clock=now))
        claims = FailoverClaims(way, MemoryClaims(clock=now), owner="b", clock=now)
        await claims.probe()
        way.cut = True
        await claims.probe()
        return claims

    async def test_who_lives_is_known_for_a_while(self, claims: LocalClaims) -> None:
        assert await claims.members("b", TTL) == ("b",)
        assert await claims.members("x", TTL) == ("b",), "as it was when shared was reached last"


async def test_a_rescue_goes_on_over_an_outage_and_keeps_its_claim() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await a.claims.renew(claim, TTL, [opened()])
    await fleet.cut()
    renewed = await a.claims.renew(claim, TTL, [intent()])
    assert renewed.token == claim.token
    assert renewed.until == fleet.clock.now + TTL
    fleet.clock.now += 4
    await a.claims.renew(renewed, TTL, [climbed()])
    assert list(await a.claims.events(CALL)) == [opened(), intent(), climbed()]
    await fleet.mend()
    assert list(await fleet.shared.events(CALL)) == [opened(), intent(), climbed()]
    await a.claims.release(renewed, outcome())
    done = await fleet.shared.done(CALL)
    assert done is not None
    assert done.token == claim.token
    await fleet.settle()
    assert (await b.refused()).finished is not None


async def test_an_outcome_is_told_when_shared_is_back_and_nobody_begins_again() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await fleet.cut()
    await a.claims.release(claim, outcome(), [opened()])
    assert (await a.refused()).finished is not None
    assert a.claims.health.owed == 1
    fleet.clock.now += 60
    b.way.cut = False
    await b.claims.probe()
    early = await b.refused()  # it was faster, and waits for what the others tell
    assert early.finished is None
    assert early.until >= fleet.clock.now + b.claims.settle
    await fleet.mend()
    await fleet.settle()
    found = await b.refused()
    assert found.finished is not None
    assert found.finished.owner == "a"
    assert list(await b.claims.events(CALL)) == [opened()]
    health = a.claims.health
    assert (health.link, health.owed, health.told, health.superseded) == (Link.REACHED, 0, 1, 0)


async def test_an_outcome_whose_answer_was_lost_is_told_once() -> None:
    fleet, (a, _) = await fleet_of("a", "b")
    claim = await a.claimed()
    a.way.loses_answer = True
    await a.claims.release(claim, outcome(), [opened()])
    assert a.claims.health.link is Link.GONE
    assert await fleet.shared.done(CALL)
    await fleet.mend()
    await fleet.settle()
    assert (a.claims.health.owed, a.claims.health.superseded) == (0, 0)


async def test_taken_over_by_another_while_it_was_away_its_claim_is_lost() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await a.claims.renew(claim, TTL, [opened()])
    await fleet.cut(a)
    await a.claims.renew(claim, TTL, [intent()])
    fleet.clock.now += TTL + 1  # a is not seen any more; b goes on, whatever a does
    taken = await b.claimed()
    await fleet.mend()
    with pytest.raises(ClaimLostError, match="'b' has taken it over meanwhile"):
        await a.claims.renew(claim, TTL, [climbed()])
    assert list(await b.claims.events(CALL)) == [opened()]
    await b.claims.release(taken, outcome())
    await fleet.settle()
    assert (await a.refused()).finished is not None
    assert a.claims.health.superseded == 1


async def test_a_lost_claim_is_given_back_although_shared_has_just_gone() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    lost = await a.claimed()
    fleet.clock.now += TTL
    await b.claimed()
    with pytest.raises(ClaimLostError):
        await a.claims.renew(lost, TTL)
    a.way.cut = True
    await a.claims.release(lost, None)
    assert a.claims.health.link is Link.GONE
    with pytest.raises(ClaimLostError, match="nothing is known of this claim"):
        await a.claims.release(lost, outcome(CALL, "released", "a"))


async def test_finished_by_both_the_first_outcome_counts() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await fleet.cut(a)
    fleet.clock.now += TTL + 1
    taken = await b.claimed()
    await b.claims.release(taken, outcome(ending="transferred"), [opened()])
    await a.claims.release(claim, outcome(ending="released"), [opened()])
    await fleet.mend()
    await fleet.settle()
    done = await a.claims.done(CALL)
    assert done is not None
    assert (done.owner, done.ending) == ("b", "transferred")
    assert (a.claims.health.superseded, a.claims.health.owed) == (1, 0)


async def test_what_another_was_seen_rescuing_is_left_to_it() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await b.refused()
    await fleet.cut()
    fleet.clock.now += TTL + RESCUE - 1
    waiting = await b.refused()
    assert (waiting.owner, waiting.until) == ("a", claim.until + RESCUE)
    fleet.clock.now = waiting.until
    turn = await b.refused()
    fleet.clock.now = turn.until
    await b.claimed()


async def test_what_was_seen_finished_is_not_begun_again() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    await a.claims.release(await a.claimed(), outcome(), [opened()])
    seen = (await b.refused()).finished
    assert seen is not None
    await fleet.cut()
    fleet.clock.now += 1000
    assert (await b.refused()).finished == seen
    answer = await b.claim(beyond=seen.token)  # but a new incident of the call is
    assert isinstance(answer, Refused)
    fleet.clock.now = answer.until
    assert isinstance(await b.claim(beyond=seen.token), Claim)


async def test_new_calls_are_begun_in_turns_the_first_after_a_moment() -> None:
    fleet, nodes = await fleet_of("a", "b", "c")
    await fleet.cut()
    begun = fleet.clock.now
    for call in ("RM_1", "RM_2", "RM_3", "RM_4"):
        fleet.clock.now = begun
        waits = sorted([(await node.refused(call)).until - begun for node in nodes])
        assert waits == [FIRST, FIRST + STAGGER, FIRST + 2 * STAGGER]
        fleet.clock.now = begun + FIRST
        answers = [await node.claim(call) for node in nodes]
        assert [type(answer) for answer in answers].count(Claim) == 1


async def test_who_is_alone_does_not_wait_for_anybody() -> None:
    fleet, (a,) = await fleet_of("a")
    await fleet.cut()
    claim = await a.claimed()
    await a.claims.renew(claim, TTL, [opened()])
    await fleet.mend()
    assert a.claims.health.link is Link.REACHED
    await a.claims.release(claim, outcome())
    assert await fleet.shared.done(CALL)


async def test_a_claim_begun_alone_is_claimed_when_shared_is_back() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    await fleet.cut()
    fleet.clock.now = (await a.refused()).until
    claim = await a.claimed()
    await a.claims.renew(claim, TTL, [opened()])
    await fleet.mend()
    await fleet.settle()
    assert (await b.refused()).owner == "a"
    renewed = await a.claims.renew(claim, TTL, [intent()])
    assert list(await fleet.shared.events(CALL)) == [opened(), intent()]
    await a.claims.release(renewed, outcome())
    assert (await b.refused()).finished is not None


async def test_begun_by_two_alone_the_second_to_tell_gives_way() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    await fleet.cut()
    claims = []
    for node in (a, b):
        await node.refused()
    fleet.clock.now += FIRST + STAGGER
    for node in (a, b):  # as if neither had seen the other's rescue
        claims.append(await node.claimed())
        await node.claims.renew(claims[-1], TTL, [opened()])
    await fleet.mend()
    await a.claims.renew(claims[0], TTL)
    with pytest.raises(ClaimLostError, match="'a' has taken it over meanwhile"):
        await b.claims.renew(claims[1], TTL)


async def test_given_back_half_done_another_goes_on_when_shared_is_back() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await fleet.cut()
    await a.claims.release(claim, None, [opened(), intent()])
    await fleet.mend()
    await fleet.settle()
    assert await b.claims.lapsed(10) == (CALL,)
    await b.claimed()
    assert list(await b.claims.events(CALL)) == [opened(), intent()]


async def test_given_back_before_anything_was_told_nothing_is_left() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await fleet.cut()
    await a.claims.release(claim, None)
    await fleet.mend()
    await fleet.settle()
    assert a.claims.health.owed == 0
    assert await fleet.shared.recent(10) == ()
    await b.claimed()


async def test_what_was_resumed_from_another_s_events_is_whole_over_an_outage() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    await a.claims.release(await a.claimed(), None, [opened(), intent()])
    claim = await b.claimed()
    assert list(await b.claims.events(CALL)) == [opened(), intent()]
    await fleet.cut()
    await b.claims.renew(claim, TTL, [climbed()])
    assert list(await b.claims.events(CALL)) == [opened(), intent(), climbed()]


async def test_a_restart_during_the_outage_owes_what_it_owed_before(tmp_path: Path) -> None:
    clock = Clock()
    shared = MemoryClaims(clock=clock, wall=clock.wall)
    files = [SqliteClaims(tmp_path / "c.db", clock=clock, wall=clock.wall) for _ in range(2)]
    before = Node("a1", shared, clock, files[0])
    done, half = await before.claimed(), await before.claimed("RM_2")
    before.way.cut = True
    await before.claims.release(done, outcome(), [opened()])
    await before.claims.renew(half, TTL, [opened("RM_2")])
    after = Node("a2", shared, clock, files[1])
    after.way.cut = True
    await after.claims.probe()
    assert (await after.refused()).finished is not None
    clock.now += TTL
    assert await after.claims.lapsed(10) == ("RM_2",)
    after.way.cut = False
    await after.claims.probe()
    assert (await shared.done(CALL)) is not None
    assert await shared.lapsed(10) == ("RM_2",)
    assert list(await shared.events("RM_2")) == [opened("RM_2")]
    for file in files:
        await file.aclose()


async def test_a_server_that_lost_its_data_is_told_what_is_held() -> None:
    fleet, (a, b) = await fleet_of("a", "b")
    claim = await a.claimed()
    await a.claims.renew(claim, TTL, [opened()])
    await fleet.cut()
    await a.claims.renew(claim, TTL, [intent()])
    await fleet.shared.forget(CALL)
    await fleet.mend()
    await fleet.settle()
    assert (await b.refused()).owner == "a"
    assert list(await b.claims.events(CALL)) == [opened(), intent()]
    await a.claims.release(claim, outcome())
    assert (await b.refused()).finished is not None


async def test_gone_again_while_it_tells_it_tells_the_rest_later() -> None:
    fleet, (a, _) = await fleet_of("a", "b")
    claims = [await a.claimed(f"RM_{number}") for number in range(5)]
    await fleet.cut()
    for claim in claims:
        await a.claims.release(claim, outcome(claim.call), [opened(claim.call)])
    a.way.cut = False
    a.way.loses_answer = True
    await a.claims.probe()
    assert a.claims.health.link is Link.GONE
    await fleet.mend()
    await fleet.settle()
    assert a.claims.health.owed == 0
    for claim in claims:
        assert await fleet.shared.done(claim.call)


async def test_what_both_keep_fails_is_a_typed_error_and_the_next_in_line_serves(
    tmp_path: Path,
) -> None:
    """Redis, then a file, then memory: a full disk stops no rescue."""
    clock = Clock()
    (tmp_path / "c.db").mkdir()
    file = SqliteClaims(tmp_path / "c.db", clock=clock, wall=clock.wall)
    memory = MemoryClaims(clock=clock, wall=clock.wall)
    inner = FailoverClaims(file, memory, owner="a", clock=clock, wall=clock.wall)
    node = Node("a", MemoryClaims(clock=clock), clock, inner)
    await node.claims.probe()
    node.way.cut = True
    await inner.probe()
    assert inner.health.degraded
    turn = await node.refused()
    clock.now = turn.until
    claim = await node.claimed()
    await node.claims.release(claim, outcome(), [opened()])
    assert (await node.refused()).finished is not None
    await file.aclose()


async def test_the_health_says_since_when_and_why() -> None:
    fleet, (a, _) = await fleet_of("a", "b")
    assert not a.claims.health.degraded
    assert a.claims.health.members == ("a", "b")
    fleet.clock.now += 5
    await fleet.cut()
    health = a.claims.health
    assert health.degraded
    assert (health.since, health.why) == (fleet.clock.wall(), "cut")


async def test_a_redis_that_is_killed_and_started_again(own_redis: RedisServer) -> None:
    clients = [RedisClient(own_redis.url) for _ in range(2)]
    nodes = [
        FailoverClaims(RedisClaims(client), MemoryClaims(), owner=name, every=0.05, first=0.1)
        for client, name in zip(clients, "ab", strict=True)
    ]
    watches = [asyncio.create_task(node.watch()) for node in nodes]
    a, b = nodes
    await asyncio.sleep(0.2)
    claim = await a.claim(CALL, "a", TTL)
    assert isinstance(claim, Claim)
    await a.renew(claim, TTL, [opened()])
    own_redis.kill()
    await a.renew(claim, TTL, [intent()])
    await a.release(claim, outcome(), [climbed()])
    own_redis.start()
    async with asyncio.timeout(5):
        while a.health.degraded or b.health.degraded:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
    answer = await b.claim(CALL, "b", TTL)
    assert isinstance(answer, Refused)
    assert answer.finished is not None
    assert list(await b.events(CALL)) == [opened(), intent(), climbed()]
    for watch in watches:
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
    for client in clients:
        await client.aclose()

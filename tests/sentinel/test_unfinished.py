from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from onhook.call import Leg
from onhook.errors import ApiError
from onhook.incident import Result, RungReport
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet.claims import Claim
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.sightings import Member, MembersListed
from onhook.sentinel.unfinished import Unfinished
from onhook.sinks.journal import MemoryJournal, Step
from tests.fakes import agent, caller
from tests.rescue import telling
from tests.sentinel.fleet.telling import climbed, incident, intent, opened

pytestmark = pytest.mark.looptime

CALL = "RM_1"
TOLD = [opened(), intent(), climbed(), intent(rung="hang_up", at=4.0)]


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Left:
    """A fleet in which somebody has died, and the rooms as they are now."""

    legs: list[Leg] = field(default_factory=list)
    fails: bool = False
    affordable: bool = True
    asked: int = 0

    def __post_init__(self) -> None:
        self.claims = MemoryClaims(clock=now)
        self.journal = MemoryJournal()
        self.unfinished = Unfinished(
            self.claims,
            self._listed,
            lambda: (self.journal,),
            affordable=lambda: self.affordable,
            owner="b",
            clock=now,
            wall=lambda: 1.7e9 + now(),
        )

    async def _listed(self, room: str) -> MembersListed:
        self.asked += 1
        if self.fails:
            raise ApiError("scripted", code="unavailable", passing=True)
        return MembersListed(room, now(), tuple(Member(leg.identity, leg) for leg in self.legs))

    async def leave(self, *events: RescueEvent, call: str = CALL) -> Claim:
        claim = await self.claims.claim(call, "a", 1.0)
        assert isinstance(claim, Claim)
        return await self.claims.renew(claim, 1.0, events)

    async def watch(self, seconds: float) -> None:
        task = asyncio.create_task(self.unfinished.watch())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @property
    def steps(self) -> Sequence[Step]:
        return [entry.step for entry in self.journal.entries(incident().id)]


async def test_whose_caller_is_gone_is_told_to_its_end_once() -> None:
    left = Left(legs=[agent()])
    await left.leave(*TOLD)
    await left.watch(30.0)
    done = await left.claims.done(CALL)
    assert done is not None
    assert (done.incident, done.ending, done.owner) == (incident().id, "released", "b")
    assert left.steps == [Step.OPENED, Step.INTENT, Step.RUNG, Step.INTENT, Step.RESUMED,
                          Step.CLOSED]  # fmt: skip
    assert left.asked == 1
    assert left.unfinished.closed == 1
    assert len(await left.claims.events(CALL)) == len(TOLD) + 2


async def test_whose_caller_waits_is_left_to_who_suspects_it() -> None:
    left = Left(legs=[caller()])
    await left.leave(*TOLD)
    await left.watch(60.0)
    assert await left.claims.done(CALL) is None
    assert 3 <= left.asked <= 6, "not at every look"
    left.legs.clear()
    await left.watch(20.0)
    assert await left.claims.done(CALL)


async def test_what_was_settled_before_ends_so() -> None:
    left = Left()
    report = RungReport("hang_up", Result.DONE, "deleted the room", 4.0, 5.0)
    await left.leave(*TOLD, telling.climbed(incident().id, report, at=5.0))
    await left.watch(10.0)
    done = await left.claims.done(CALL)
    assert done is not None
    assert (done.ending, done.detail) == ("released", "deleted the room")


async def test_what_is_held_or_was_never_begun_is_not_touched() -> None:
    left = Left()
    held = await left.claims.claim("RM_held", "a", 1000.0)
    assert isinstance(held, Claim)
    await left.claims.renew(held, 1000.0, [opened("RM_held")])
    await left.leave(call="RM_nothing")
    await left.watch(30.0)
    assert await left.claims.recent(10) == ("RM_held",)
    assert await left.claims.done("RM_held") is None
    assert left.asked == 0


@pytest.mark.parametrize("fails", [True, False])
async def test_while_the_server_cannot_be_asked_nothing_is_told(fails: bool) -> None:
    left = Left(fails=fails, affordable=fails)
    await left.leave(*TOLD)
    await left.watch(30.0)
    assert await left.claims.done(CALL) is None
    left.fails, left.affordable = False, True
    await left.watch(20.0)
    assert await left.claims.done(CALL)


async def test_many_are_told_some_at_a_time() -> None:
    left = Left()
    for number in range(25):
        await left.leave(opened(f"RM_{number}"), call=f"RM_{number}")
    await left.watch(6.0)
    assert left.unfinished.closed == 10
    await left.watch(20.0)
    assert left.unfinished.closed == 25


async def test_what_cannot_be_read_is_closed_too() -> None:
    left = Left()
    await left.leave(intent())
    await left.watch(10.0)
    done = await left.claims.done(CALL)
    assert done is not None
    assert done.ending == "kept"

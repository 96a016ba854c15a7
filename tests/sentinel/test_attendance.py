"""Who attends to a call: one task of one sentinel, and no silence twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onhook.sentinel.fleet.claims import Claim
from onhook.sentinel.task_pool import TaskPool
from tests.sentinel.acting import Acting

pytestmark = pytest.mark.looptime


async def never(_: object) -> Any:
    await asyncio.Event().wait()


async def test_a_call_that_another_sentinel_has_is_left_to_it_until_its_lease_ends() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        await acting.until(1.0)
        (sid,) = (room.sid for room in acting.world.rooms.values())
        held = await acting.claims.claim(sid, "another", 20.0)
        assert isinstance(held, Claim)
        await acting.until(20.0)
        assert acting.books.done == []
        await acting.until(40.0)
    assert acting.books.done == ["say a", "delete a"]


async def test_a_silence_that_another_sentinel_has_dealt_with_is_not_dealt_with_again() -> None:
    async with Acting() as acting, Acting(books=acting.books, claims=acting.claims) as other:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(40.0)
    assert acting.books.done.count("say a") == 1
    assert acting.books.done.count("delete a") == 1
    done = acting.attendance.endings + other.attendance.endings
    assert done["released"] == 1


async def test_a_line_that_cannot_be_released_is_tried_again_without_the_same_words() -> None:
    """Ever more rarely, and all of it is one incident."""
    async with Acting() as acting:
        acting.world.caller("a")
        acting.books.stuck = True
        await acting.until(25.0)
        assert dict(acting.attendance.endings) == {"handed_outward": 1}
        await acting.until(100.0)
        assert dict(acting.attendance.endings) == {"handed_outward": 3}
        acting.books.stuck = False
        await acting.until(160.0)
    assert acting.attendance.endings["released"] == 1
    assert acting.books.done == ["say a", "delete a"]
    assert len(acting.journal.incidents(10)) == 1


async def test_another_sentinel_releases_the_line_without_the_same_words() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        acting.books.stuck = True
        await acting.until(25.0)
    acting.books.stuck = False
    async with Acting(books=acting.books, claims=acting.claims) as other:
        await other.until(60.0)
    assert acting.books.done == ["say a", "delete a"]
    assert dict(other.attendance.endings) == {"released": 1}


async def test_a_caller_who_is_left_once_more_is_told_again() -> None:
    """An agent was there meanwhile: this silence is another one, and so are its words."""
    async with Acting() as acting:
        acting.world.caller("a")
        acting.books.stuck = True
        await acting.until(18.0)
        acting.world.agent("a")
        acting.books.stuck = False
        await acting.until(40.0)
        acting.world.leave("a", "agent-1")
        await acting.until(80.0)
    assert acting.books.done == ["say a", "say a", "delete a"]
    assert acting.faults == ["call.abandoned_legs", "agent.absent"], "the newest first"


async def test_calls_that_wait_for_others_are_counted() -> None:
    async with Acting(observe=True) as acting:
        acting.attendance.pool = TaskPool(2)
        for number in range(5):
            acting.world.caller(f"a{number}")
        acting.attendance._confirmation.confirm = never  # type: ignore[method-assign, assignment]
        await acting.until(10.0)
        assert len(acting.attendance.pool) == 2
        assert acting.attendance.queued == 3


async def test_a_claim_that_is_lost_half_way_is_counted() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        await acting.until(8.6)
        (sid,) = (room.sid for room in acting.world.rooms.values())
        await acting.claims.forget(sid)
        assert isinstance(await acting.claims.claim(sid, "another", 60.0), Claim)
        await acting.until(20.0)
        assert acting.attendance.claims_lost == 1

from __future__ import annotations

import asyncio

import pytest

from onhook.sentinel.task_pool import TaskPool

pytestmark = pytest.mark.looptime


async def forever() -> None:
    await asyncio.Event().wait()


async def test_each_piece_of_work_is_done_once_at_a_time_and_only_so_many() -> None:
    pool = TaskPool(2)
    assert pool.start("a", forever)
    assert not pool.start("a", forever), "it is under way"
    assert pool.start("b", forever)
    assert pool.full
    assert not pool.start("c", forever)
    assert ("a" in pool, "c" in pool, len(pool)) == (True, False, 2)
    await pool.aclose()
    assert len(pool) == 0


async def test_what_ends_by_itself_in_time_is_not_cancelled() -> None:
    pool, ended = TaskPool(2), []

    async def work(seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(seconds)

    pool.start("short", lambda: work(1.0))
    pool.start("long", lambda: work(60.0))
    await pool.aclose(2.0)
    assert ended == [1.0]


async def test_what_it_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("scripted")

    pool = TaskPool(1)
    pool.start("a", fail)
    await asyncio.sleep(0.1)
    assert "scripted" in caplog.text
    assert pool.start("a", forever)
    await pool.aclose()

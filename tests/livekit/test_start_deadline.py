"""A step that takes too long has failed, unless the whole server is slow."""

from __future__ import annotations

import asyncio

import pytest

from onhook.errors import ApiError
from onhook.livekit.start_deadline import StartDeadline

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


async def at_once() -> None:
    return


async def refuses() -> None:
    raise ApiError("401", code="unauthenticated", passing=False)


async def slowly() -> None:
    await asyncio.sleep(2.0)


async def gives_up() -> None:
    await asyncio.sleep(0.2)
    raise ApiError("no answer", code="timeout", passing=True)


@pytest.mark.parametrize(
    ("ask", "ends"), [(at_once, 3.0), (refuses, 3.0), (slowly, 9.0), (gives_up, 9.0)]
)
async def test_a_slow_server_gets_more(ask: object, ends: float) -> None:
    start = StartDeadline(3.0, ask)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        async with start.step():
            await asyncio.Event().wait()
    assert now() == pytest.approx(ends, abs=0.1)


async def test_all_steps_together_have_an_end() -> None:
    start = StartDeadline(3.0, slowly)
    async with start.step():
        await asyncio.sleep(8.0)
    with pytest.raises(TimeoutError):
        async with start.step():
            await asyncio.Event().wait()
    assert now() == pytest.approx(9.0, abs=0.1)
    assert len(asyncio.all_tasks()) == 1


async def test_what_is_done_in_time_asks_nobody() -> None:
    async def never() -> None:
        raise AssertionError

    start = StartDeadline(3.0, never)
    for _ in range(3):
        async with start.step():
            await asyncio.sleep(2.5)

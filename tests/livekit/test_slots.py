from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.errors import OnhookError
from onhook.livekit.slots import Slots


@pytest.mark.looptime
async def test_the_longest_silence_comes_first() -> None:
    slots = Slots(1, patience=10.0)
    order: list[float] = []

    async def speak(since: float) -> None:
        async with slots.taken(since):
            order.append(since)
            await asyncio.sleep(1.0)

    async with slots.taken():
        waiting = [asyncio.create_task(speak(since)) for since in (7.0, 3.0, 5.0)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == [3.0, 5.0, 7.0]


@pytest.mark.looptime
async def test_who_has_waited_as_long_as_they_may_goes_on_without() -> None:
    slots = Slots(1, patience=2.0)
    began = asyncio.get_running_loop().time()
    async with slots.taken():
        with pytest.raises(OnhookError, match="as many callers"):
            async with slots.taken():
                pass
    assert asyncio.get_running_loop().time() - began == pytest.approx(2.0)
    assert slots.free == 1


steps = st.lists(
    st.tuples(
        st.floats(0, 5, allow_nan=False),
        st.floats(0, 3, allow_nan=False),
        st.none() | st.floats(0, 3),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(steps, st.integers(1, 3))
def test_no_slot_is_lost_or_given_twice(
    callers: list[tuple[float, float, float | None]], count: int
) -> None:
    slots = Slots(count, patience=0.5)
    now, most = 0, 0

    async def speak(at: float, length: float) -> None:
        nonlocal now, most
        await asyncio.sleep(at)
        async with slots.taken(at):
            now += 1
            most = max(most, now)
            try:
                await asyncio.sleep(length)
            finally:
                now -= 1

    async def all_of_them() -> None:
        tasks = []
        for at, length, cancelled in callers:
            task = asyncio.create_task(speak(at / 1000, length / 1000))
            if cancelled is not None:
                asyncio.get_running_loop().call_later(cancelled / 1000, task.cancel)
            tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_them())
    assert most <= count
    assert slots.free == count

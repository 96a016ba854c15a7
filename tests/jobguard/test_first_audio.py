"""How long a line may ring, and how long an answered one may be without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from onhook.call import Call
from onhook.jobguard.detectors.first_audio import FirstWait, first_audio
from tests.fakes import call_of
from tests.jobguard.fakes import ConnectedRoom

pytestmark = pytest.mark.looptime


def waiting(
    room: ConnectedRoom, *, up: bool = False, spoke_since: Callable[[float], bool] = lambda _: False
) -> asyncio.Task[str]:
    async def ask() -> Call:
        return call_of()

    return asyncio.create_task(
        first_audio(
            cast(Any, room),
            FirstWait(20.0, 8.0),
            clock=asyncio.get_running_loop().time,
            ask=ask,
            over=lambda: False,
            up=lambda: up,
            spoke_since=spoke_since,
        )
    )


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_line_may_ring_for_as_long_as_setup_says() -> None:
    room = ConnectedRoom()
    room.caller_is("ringing")
    assert "rang for 20 s" in await waiting(room)
    assert now() == pytest.approx(20.0, abs=0.3)


async def test_from_the_answer_on_a_word_must_come() -> None:
    room = ConnectedRoom()
    room.caller_is("ringing")
    task = waiting(room)
    await asyncio.sleep(15)
    room.publishes()  # an empty track answers the line, and is no word
    room.caller_is("active")
    assert "8 s of the answer" in await task
    assert now() == pytest.approx(23.0, abs=0.3)


async def test_nothing_counts_before_a_callee_answers() -> None:
    room = ConnectedRoom()
    room.caller_is("ringing", inbound=False)
    task = waiting(room)
    await asyncio.sleep(120)
    room.caller_is("active", inbound=False)
    assert "8 s of the answer" in await task
    assert now() == pytest.approx(128.0, abs=0.3)


async def test_a_session_that_runs_has_its_own_judge() -> None:
    room = ConnectedRoom()
    room.caller_is("active")
    assert await waiting(room, up=True) == ""


async def test_a_voice_counts_from_the_answer_on_and_without_any_session() -> None:
    room = ConnectedRoom()
    room.caller_is("ringing")
    spoken: list[float] = []
    task = waiting(room, spoke_since=lambda at: any(said >= at for said in spoken))
    await asyncio.sleep(3)
    spoken.append(now())  # nobody heard it
    await asyncio.sleep(1)
    room.caller_is("active")
    await asyncio.sleep(3)
    assert not task.done()
    spoken.append(now())
    assert await task == ""

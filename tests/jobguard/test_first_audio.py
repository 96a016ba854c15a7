"""How long a line may ring, and how long an answered one may be without a word."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from onhook.call import Call
from onhook.jobguard.detectors.first_audio import FirstWait, first_audio
from tests.fakes import call_of
from tests.jobguard.fakes import ConnectedRoom

pytestmark = pytest.mark.looptime


def waiting(room: ConnectedRoom, *, up: bool = False) -> asyncio.Task[str]:
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
    room.publishes(energy=0.0)  # an empty track answers the line, and is no word
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


@pytest.mark.parametrize(("name", "voice"), [("mine", True), ("background_audio", False)])
async def test_a_voice_without_a_session_is_known_by_its_energy(name: str, voice: bool) -> None:
    room = ConnectedRoom()
    room.caller_is("active")
    task = waiting(room)
    await asyncio.sleep(3)
    room.publishes(energy=0.1, name=name)
    assert (await task == "") is voice

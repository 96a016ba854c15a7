"""Only so many callers are spoken to at once, and a slot is never lost."""

from __future__ import annotations

import asyncio
import socket

import pytest

from onhook.errors import OnhookError
from onhook.line import Announcement
from onhook.livekit import Credentials
from onhook.livekit.bounded_line import BoundedLine
from tests.livekit.twirp import SECRET

WORDS = Announcement("Sorry.", start_deadline=1.0)


@pytest.fixture
def nowhere() -> Credentials:
    """A server that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Credentials(f"http://127.0.0.1:{port}", "key", SECRET)


async def test_who_finds_no_slot_goes_on_to_the_next_rung_at_once(nowhere: Credentials) -> None:
    slots = asyncio.Semaphore(1)
    await slots.acquire()
    async with BoundedLine(nowhere, "r", slots=slots, api_timeout=1.0) as line:
        async with asyncio.timeout(1.0):
            with pytest.raises(OnhookError, match="as may be at once"):
                await line.say(WORDS)
    slots.release()
    assert not slots.locked(), "who was refused took none"


async def test_a_slot_is_given_back_when_the_words_fail(nowhere: Credentials) -> None:
    slots = asyncio.Semaphore(1)
    async with BoundedLine(nowhere, "r", slots=slots, api_timeout=1.0) as line:
        for _ in range(2):
            async with asyncio.timeout(10.0):
                with pytest.raises(Exception, match=r"join|connect|reach"):
                    await line.say(WORDS)
            assert not slots.locked()


async def test_a_slot_is_given_back_when_the_words_are_cancelled(nowhere: Credentials) -> None:
    slots = asyncio.Semaphore(1)
    async with BoundedLine(nowhere, "r", slots=slots, api_timeout=1.0) as line:
        saying = asyncio.create_task(line.say(WORDS))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert slots.locked()
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
    assert not slots.locked()

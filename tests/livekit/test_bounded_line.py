"""Only so many callers are attended to at once, and a slot is never lost."""

from __future__ import annotations

import asyncio
import socket

import pytest

from onhook.errors import OnhookError
from onhook.line import Announcement
from onhook.livekit import Credentials
from onhook.livekit.bounded_line import BoundedLine
from onhook.livekit.slots import Slots
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
    slots = Slots(1)
    async with BoundedLine(nowhere, "r", words=slots, api_timeout=1.0) as line, slots.taken():
        async with asyncio.timeout(1.0):
            with pytest.raises(OnhookError, match="not said: as many callers"):
                await line.say(WORDS)
    assert slots.free == 1, "who was refused took none"


async def test_a_slot_is_given_back_when_the_words_fail(nowhere: Credentials) -> None:
    slots = Slots(1)
    async with BoundedLine(nowhere, "r", words=slots, api_timeout=1.0) as line:
        for _ in range(2):
            async with asyncio.timeout(10.0):
                with pytest.raises(Exception, match=r"join|connect|reach"):
                    await line.say(WORDS)
            assert slots.free == 1


async def test_a_slot_is_given_back_when_the_words_are_cancelled(nowhere: Credentials) -> None:
    slots = Slots(1)
    async with BoundedLine(nowhere, "r", words=slots, api_timeout=1.0) as line:
        saying = asyncio.create_task(line.say(WORDS))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert slots.free == 0
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
    assert slots.free == 1


async def test_no_more_agents_are_sent_at_once_than_may_be(nowhere: Credentials) -> None:
    sent = Slots(1, without="nobody sent")
    async with (
        BoundedLine(nowhere, "r", words=Slots(1), dispatches=sent, api_timeout=1.0) as line,
        sent.taken(),
    ):
        with pytest.raises(OnhookError, match="nobody sent"):
            await line.dispatch("support", "")
    assert sent.free == 1

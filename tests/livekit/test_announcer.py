"""Joining a room as the announcer, when the connection takes longer than anybody waits."""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from onhook.errors import OnhookError
from onhook.livekit import Credentials, announcer

pytestmark = pytest.mark.looptime

CREDENTIALS = Credentials("ws://127.0.0.1:1", "key", "s" * 32)


class SlowRoom:
    """Is connected after 5 s, whoever waits for it; a connection cannot be called off."""

    made: list[SlowRoom]

    def __init__(self) -> None:
        self.there = False
        self.made.append(self)

    async def connect(self, *_: object, **__: object) -> None:
        task = asyncio.create_task(asyncio.sleep(5))
        task.add_done_callback(lambda _: setattr(self, "there", True))
        await asyncio.shield(task)

    async def disconnect(self) -> None:
        self.there = False


@pytest.fixture(autouse=True)
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[SlowRoom]:
    SlowRoom.made = []
    monkeypatch.setattr(rtc, "Room", SlowRoom)
    return SlowRoom.made


async def join() -> None:
    async with announcer.joined(CREDENTIALS, "r", limit=asyncio.timeout(3)):
        raise AssertionError("it was joined")


@pytest.mark.parametrize("cancelled", [False, True])
async def test_an_announcer_that_comes_too_late_leaves_at_once(
    rooms: list[SlowRoom], cancelled: bool
) -> None:
    task = asyncio.create_task(join())
    await asyncio.sleep(1)
    if cancelled:
        task.cancel()
    with pytest.raises(asyncio.CancelledError if cancelled else OnhookError):
        await task
    await asyncio.sleep(4.5)
    assert not rooms[0].there, "nobody knows of it, and it would stay for as long as the job"
    assert not announcer._leaving

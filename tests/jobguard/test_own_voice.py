"""What a job publishes without any session: a beep is no first word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import numpy as np
import pytest
from livekit import rtc
from numpy.typing import NDArray

from onhook.bench.phone.sound_files import speech
from onhook.jobguard.detectors.own_voice import OwnVoice
from onhook.jobguard.silence.voice_detector import BLOCK, RATE
from tests.jobguard.fakes import ConnectedRoom

Sound = NDArray[np.int16]


def tone(seconds: float, level: float = 8000.0) -> Sound:
    times = np.arange(round(RATE * seconds)) / RATE
    return (level * np.sin(2 * np.pi * 440 * times)).astype(np.int16)


async def heard(sound: Sound, name: str = "mine") -> bool:
    async def blocks(_: rtc.LocalAudioTrack) -> AsyncGenerator[Sound]:
        size = round(BLOCK * RATE)
        for begin in range(0, len(sound), size):
            yield sound[begin : begin + size]
            await asyncio.sleep(0)
        over.set()

    over, room = asyncio.Event(), ConnectedRoom()
    own = OwnVoice(cast(Any, room), lambda: 1.0, blocks)
    listening = asyncio.create_task(own.listen())
    await asyncio.sleep(0)
    room.publishes(name)
    try:
        async with asyncio.timeout(5):
            if name == "mine":
                await over.wait()
        assert not own.heard_since(2.0)
        return own.heard_since(1.0)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_word_is_a_first_word_and_a_beep_is_none() -> None:
    assert await heard(await speech("Welcome."))
    assert not await heard(tone(0.5))
    assert not await heard(np.zeros(5 * RATE, np.int16))


async def test_a_sound_that_goes_on_is_no_placeholder() -> None:
    assert await heard(tone(3.5))


@pytest.mark.parametrize("name", ["background_audio", "onhook"])
async def test_background_sounds_and_our_own_words_are_nobodys_voice(name: str) -> None:
    assert not await heard(await speech("Welcome."), name)


async def test_a_track_that_cannot_be_listened_to_is_given_the_benefit_of_the_doubt() -> None:
    room = ConnectedRoom()
    room.publishes()
    own = OwnVoice(cast(Any, room), lambda: 0.0)
    listening = asyncio.create_task(own.listen())
    async with asyncio.timeout(5):
        while not own.heard_since(0.0):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)

"""Ears of our own, in a real room with a leg that comes by phone."""

from __future__ import annotations

import asyncio
import contextlib
import time

import numpy as np
import pytest
from livekit import rtc

from onhook.bench.phone.sound_files import speech
from onhook.bench.stack import Stack
from onhook.jobguard.detectors.caller_voice import CallerVoice
from onhook.jobguard.silence.utterances import Utterance
from tests.line.room_legs import connected, publish

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

WORDS = "I would like a table for two please."


class Heard:
    def __init__(self) -> None:
        self.said: asyncio.Queue[Utterance] = asyncio.Queue()
        self.speaking: list[bool] = []

    def caller_voice(self, at: float, *, speaking: bool) -> None:
        self.speaking.append(speaking)

    def caller_said(self, utterance: Utterance) -> None:
        self.said.put_nowait(utterance)


async def test_a_caller_is_heard_on_each_track_and_nobody_else(stack: Stack) -> None:
    heard, words = Heard(), await speech(WORDS)
    async with (
        connected(stack, "ears", "agent-1", "agent") as room,
        connected(stack, "ears", "colleague", "standard") as colleague,
        connected(stack, "ears", "sip_1", "sip") as phone,
    ):
        ears = asyncio.create_task(CallerVoice(room, lambda: [heard], time.monotonic).listen())
        try:
            other = await publish(colleague)
            for _ in range(2):  # a leg that is moved or put on hold comes with another track
                microphone = await publish(phone)
                await asyncio.gather(say(microphone.source, words), say(other.source, words))
                async with asyncio.timeout(10):
                    said = await heard.said.get()
                assert said.voiced >= 0.6 * len(words) / 8000
                assert said.ended - said.began <= len(words) / 8000 + 1.0
                assert abs(time.monotonic() - said.ended - 1.1) < 1.5
                await phone.local_participant.unpublish_track(microphone.sid)
            assert heard.said.empty()
            assert heard.speaking == [True, False] * 2
        finally:
            ears.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ears


async def say(source: rtc.AudioSource, words: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    padded = np.concatenate([words, np.zeros(12000, np.int16)])
    for begin in range(0, len(padded), 400):
        part = padded[begin : begin + 400]
        await source.capture_frame(rtc.AudioFrame(part.tobytes(), 8000, 1, len(part)))

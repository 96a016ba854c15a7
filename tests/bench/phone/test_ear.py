from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from onhook.bench.phone import CallTimeoutError
from onhook.bench.phone.codec import RATE, Samples
from onhook.bench.phone.packet_timeline import Ear
from tests.bench.phone.tones import silence, tone


def listen(*pieces: tuple[float, Samples]) -> Ear:
    """Hear whole pieces from given moments on, in packets of 20 ms that arrive in time."""
    ear = Ear()
    for at, samples in pieces:
        for begin in range(0, len(samples), 160):
            ear.push(at + begin / RATE, samples[begin : begin + 160])
    return ear


def test_the_wav_and_the_report_agree() -> None:
    ear = listen((10.0, silence(0.5)), (10.5, tone(1.0)), (12.0, tone(0.5)))
    sounds = ear.hearing(10.0, 13.0).sounds
    assert [(round(s.start, 2), round(s.end, 2)) for s in sounds] == [(10.5, 11.5), (12.0, 12.5)]
    audio = ear.audio(10.0, 13.0)
    assert len(audio) == 3 * RATE
    for second, loud in ((0.25, False), (0.75, True), (1.75, False), (2.25, True), (2.75, False)):
        at = round(second * RATE)
        assert bool(np.abs(audio[at : at + 160]).max() > 1000) is loud


def test_the_audio_may_be_cut_anywhere() -> None:
    ear = listen((10.0, tone(1.0)))
    whole = ear.audio(10.0, 11.0)
    assert np.array_equal(ear.audio(10.25, 10.75), whole[2000:6000])
    assert len(ear.audio(9.0, 8.0)) == 0


def test_jitter_leaves_no_holes_in_a_sound() -> None:
    ear = Ear()
    late = (0.0, 0.008, 0.001, 0.015, 0.0, 0.01)
    for index in range(50):
        ear.push(10 + 0.02 * index + late[index % len(late)], tone(0.02, 400))
    heard = ear.audio(10.0, 11.0)
    assert np.array_equal(heard, np.tile(tone(0.02, 400), 50))


def test_after_a_stall_the_next_pause_catches_up() -> None:
    ear = Ear()
    for _ in range(10):
        ear.push(10.2, tone(0.02))  # 200 ms of audio, all at once
    for index in range(20):
        ear.push(10.22 + 0.02 * index, silence(0.02))
    ear.push(10.62, tone(0.02))
    ear.push(10.64, tone(0.02))
    sounds = ear.hearing(10.0, 11.0).sounds
    assert [(round(s.start, 2), round(s.end, 2)) for s in sounds] == [(10.2, 10.4), (10.62, 10.66)]


def test_a_flood_is_not_heard_for_ever() -> None:
    ear = Ear()
    for _ in range(100):
        ear.push(10.0, tone(0.02))
    assert ear.overruns == pytest.approx(74, abs=1)
    assert ear.hearing(10.0, 12.0).sounds[0].seconds <= 0.53


def test_longer_packets_are_cut_into_frames() -> None:
    ear = Ear()
    ear.push(10.0, np.concatenate((silence(0.04), tone(0.06))))
    assert ear.hearing(10.0, 10.1).sounds[0].start == pytest.approx(10.04)


async def test_waiting_for_a_sound() -> None:
    ear = Ear()
    now = time.monotonic()
    waiting = asyncio.create_task(ear.sound(now, 1.0))
    await asyncio.sleep(0)
    ear.push(now, silence(0.1))
    ear.push(now + 0.1, tone(0.1))
    assert await waiting == pytest.approx(now + 0.1)
    assert await ear.sound(now + 0.15, 1.0) == pytest.approx(now + 0.15)
    with pytest.raises(CallTimeoutError, match="no sound"):
        await ear.sound(now + 0.15, 0.05, new=True)


async def test_waiting_for_silence() -> None:
    ear = Ear()
    now = time.monotonic()
    ear.push(now - 0.3, tone(0.2))
    assert await ear.silence(0.15, now - 0.3, 1.0) == pytest.approx(now - 0.1, abs=0.001)
    assert await ear.silence(0.1, now - 1.0, 1.0) == pytest.approx(now - 1.0)
    with pytest.raises(CallTimeoutError, match="no silence of 5 s"):
        await ear.silence(5.0, now - 0.3, 0.05)


async def test_who_waits_can_be_cancelled() -> None:
    ear = Ear()
    waiting = asyncio.create_task(ear.sound(0.0, 9.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ear.push(1.0, tone(0.1))

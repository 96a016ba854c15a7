"""A sentence on a telephone line is an utterance of its length; noise and tones are none."""

from __future__ import annotations

import io
import subprocess
import wave

import numpy as np
import pytest
from numpy.typing import NDArray

from onhook.bench.phone.codec import PCMA, PCMU, Codec
from onhook.jobguard.silence.utterances import Utterance
from onhook.jobguard.silence.voice_detector import BLOCK, RATE, VoiceDetector

Samples = NDArray[np.int16]
SECONDS = np.arange(12 * RATE) / RATE
"""Twelve seconds of time."""


def spoken(text: str, voice: str) -> Samples:
    command = ["espeak-ng", "-v", voice, "--stdout", "--", text]
    with wave.open(
        io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    ) as w:
        rate, raw = w.getframerate(), np.frombuffer(w.readframes(2**28), np.int16)
    at = np.arange(0, len(raw) - 1, rate / RATE)
    return (0.5 * np.interp(at, np.arange(len(raw)), raw)).astype(np.int16)


def heard(samples: Samples) -> list[Utterance]:
    quiet = np.zeros(RATE, np.int16)
    whole = np.concatenate([quiet, samples, quiet, quiet])
    detector, size, found = VoiceDetector(), int(BLOCK * RATE), []
    for start in range(0, len(whole) - size + 1, size):
        utterance = detector.push(whole[start : start + size], (start + size) / RATE)
        if utterance is not None:
            found.append(utterance)
    return found


def tones(*frequencies: float, on: float = 12.0, off: float = 0.0) -> Samples:
    wave_ = sum(2500 * np.sin(2 * np.pi * f * SECONDS) for f in frequencies)
    return np.asarray(wave_ * ((SECONDS % (on + off)) < on), dtype=np.int16)


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "de", "fr"])
@pytest.mark.parametrize(
    "text",
    [
        "At eight o'clock please.",
        "I would like a table for two please.",
        "Hello? Can you hear me? I said that I would like a table for two, this evening.",
    ],
)
def test_a_sentence_is_one_utterance_of_its_length(text: str, voice: str) -> None:
    samples = spoken(text, voice)
    loud = np.flatnonzero(np.abs(samples) > 300)
    seconds = (loud[-1] - loud[0]) / RATE
    (utterance,) = heard(samples)
    assert 0.7 * seconds <= utterance.voiced <= seconds + 0.2
    assert utterance.began == pytest.approx(1.0 + loud[0] / RATE, abs=0.3)


def test_a_murmur_is_short() -> None:
    assert all(utterance.voiced < 1.0 for utterance in heard(spoken("hmm well", "en-us")))


NOISE = np.random.default_rng(7).normal(0, 1500, len(SECONDS)).astype(np.int16)


@pytest.mark.parametrize(
    "samples",
    [
        NOISE,
        tones(50.0, 150.0),
        tones(440.0, 480.0, on=2.0, off=4.0),
        tones(480.0, 620.0, on=0.5, off=0.5),
        tones(697.0, 1209.0, on=0.2, off=0.2),
        tones(425.0, on=1.0, off=4.0),
    ],
    ids=["white noise", "hum", "ringback", "busy", "DTMF", "European ringback"],
)
def test_noise_and_the_tones_of_a_line_are_no_voice(samples: Samples) -> None:
    assert heard(samples) == []


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_a_telephone_line_changes_nothing(codec: Codec) -> None:
    samples = spoken("I would like a table for two please.", "en-us")
    assert len(heard(codec.decode(codec.encode(samples)))) == 1

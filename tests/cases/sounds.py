"""What a phone's microphone gets besides speech: 16-bit samples of 8000 Hz."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["babble", "melody", "noise"]

RATE = 8000
Samples = npt.NDArray[np.int16]


def noise(seconds: float, level: float = 0.03) -> Samples:
    """Return the even noise of a car or a fan; its level is a share of full scale."""
    white = np.random.default_rng(1).normal(size=int(seconds * RATE))
    brown = np.convolve(white, np.ones(8) / 8, mode="same")
    return _scaled(brown, level)


def babble(seconds: float, level: float = 0.05) -> Samples:
    """Return noise that swells and ebbs as a room full of people does, without a word."""
    time = np.arange(int(seconds * RATE)) / RATE
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * time) * np.sin(2 * np.pi * 0.13 * time)
    return _scaled(noise(seconds, 0.2).astype(float) * swell, level)


def melody(seconds: float, level: float = 0.08) -> Samples:
    """Return hold music: a tune of three voices, again and again."""
    notes = (262, 330, 392, 523, 392, 330, 294, 349, 440, 587, 440, 349)
    time = np.arange(int(0.4 * RATE)) / RATE
    fade = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02)
    bars = [
        sum(np.sin(2 * np.pi * note * factor * time) / factor for factor in (1, 2, 3)) * fade
        for note in notes
    ]
    tune = np.concatenate(bars)
    times = int(np.ceil(seconds * RATE / len(tune)))
    return _scaled(np.tile(tune, times)[: int(seconds * RATE)], level)


def _scaled(samples: npt.NDArray[np.floating], level: float) -> Samples:
    power = float(np.sqrt((samples**2).mean())) or 1.0
    return (samples / power * level * 32767).clip(-32768, 32767).astype(np.int16)

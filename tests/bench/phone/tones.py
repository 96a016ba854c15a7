"""Audio to tell apart: tones, and what the phone makes of time."""

from __future__ import annotations

import numpy as np

from onhook.bench.phone.codec import RATE, Samples


def tone(seconds: float, hertz: float = 440.0, amplitude: int = 8000) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def pitch(samples: Samples) -> float:
    """Return the strongest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64)))
    return float(np.argmax(spectrum) * RATE / len(samples))

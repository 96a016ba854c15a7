"""Tells a human voice from silence, noise and tones on a telephone line: pure, and cheap.

A block of a tenth of a second is voice where it is louder than the line's own noise and periodic
with a pitch of 70 to 400 Hz, as vowels are, and its energy is spread over harmonics, as that of a
tone is not. Silence costs one sum of squares.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onhook.jobguard.silence.utterances import Utterance
from onhook.livekit.pcm import SILENT, level

__all__ = ["BLOCK", "RATE", "VoiceDetector"]

RATE = 8000
"""Samples a second: what a telephone line carries."""
BLOCK = 0.1
"""Seconds that are judged at a time."""

_ABOVE_NOISE = 2.0
"""How much louder than the line's noise a voice is, at least: 6 dB."""
_PERIODIC = 0.5
"""Normalised autocorrelation of a vowel, at least; white noise has less than 0.3."""
_LAGS = slice(RATE // 400, RATE // 70 + 1)
_TONE = 0.85
"""Share of the energy in the strongest bins that makes a tone: DTMF, ringback, busy, a hum."""
_BINS = 6
_PAUSE = 0.8
"""Seconds without voice after which an utterance is over."""
_LEAST = 0.3
"""Seconds of voice in an utterance, at least: less is a cough."""
_VOICED = 0.35
"""Share of an utterance's loud blocks that are periodic, at least."""


class VoiceDetector:
    """Cuts one leg's audio into utterances. All times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._noise = SILENT / 2
        self._began: float | None = None
        self.heard_at = 0.0
        """When voice was heard last."""
        self._loud = self._periodic = 0
        self._power = 0.0

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self._began is not None and self._periodic * BLOCK >= BLOCK

    def push(self, samples: NDArray[np.int16], at: float) -> Utterance | None:
        """Judge one block.

        Args:
            samples: A tenth of a second at 8000 Hz.
            at: When the block ended.

        Returns:
            The utterance that is over by it, if one is.
        """
        wide = samples.astype(np.float32)
        loudness = level(wide)
        loud = loudness > max(SILENT, _ABOVE_NOISE * self._noise)
        voiced = loud and _is_voice(wide)
        if voiced:
            if self._began is None:
                self._began, self._loud, self._periodic, self._power = at - BLOCK, 0, 0, 0.0
            self.heard_at = at
            self._periodic += 1
            self._power += loudness * loudness
        else:
            rate = 0.02 if self._began is not None else 0.1
            self._noise += rate * (min(loudness, 8 * self._noise) - self._noise)
            self._noise = max(self._noise, SILENT / 4)
        if self._began is not None:
            self._loud += loud
            if at - self.heard_at >= _PAUSE:
                return self._over()
        return None

    def _over(self) -> Utterance | None:
        began, self._began = self._began, None
        assert began is not None  # noqa: S101 - an utterance is under way
        seconds = self._loud * BLOCK
        if seconds < _LEAST or self._periodic < _VOICED * self._loud:
            return None
        loudness = 10 * math.log10(self._power / self._periodic / 32768**2)
        return Utterance(began, self.heard_at, min(seconds, self.heard_at - began), loudness)


def _is_voice(wide: NDArray[np.float32]) -> bool:
    half = len(wide) // 2
    return any(_periodic(part) and not _tone(part) for part in (wide[:half], wide[half:]))


def _periodic(part: NDArray[np.float32]) -> bool:
    centred = part - part.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    correlation = np.fft.irfft(spectrum * spectrum.conj(), size)[: len(centred)]
    if correlation[0] <= 0:
        return False
    lags = np.arange(len(centred))[_LAGS]
    normalised = correlation[_LAGS] / (correlation[0] * (1 - lags / len(centred)))
    return bool(normalised.max() >= _PERIODIC)


def _tone(part: NDArray[np.float32]) -> bool:
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    total = power.sum()
    return bool(total <= 0 or np.sort(power)[-_BINS:].sum() / total > _TONE)

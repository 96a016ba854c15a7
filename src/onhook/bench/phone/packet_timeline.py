"""The ear: packets, laid out on the timeline of their arrival, and who waits for a sound.

A real telephone plays audio when it arrives, or after what it is still playing. So does the ear: a
frame begins when it arrives, or where the frame before it ends if that is later. A frame that is up
to `_LATE` late within running speech continues it, as a jitter buffer would. Silent frames are
dropped while the ear is behind, so that a burst after a stall is caught up with in the next pause.
"""

from __future__ import annotations

import math
import time

import numpy as np

from onhook.bench.phone.change_waiter import Change
from onhook.bench.phone.codec import RATE, Samples
from onhook.bench.phone.rtp import FRAME
from onhook.bench.phone.sound_segments import Frame, Hearing, Segmenter, Threshold, level_of

__all__ = ["Ear"]

_LATE = 0.03
_FULL = 0.5
"""Seconds that the ear buffers at most; what is more than that ahead of time is not heard."""


class Ear:
    """Listens to one call.

    Args:
        threshold: Where sound begins.
    """

    def __init__(self, threshold: Threshold | None = None) -> None:
        self.overruns = 0
        self.first_at: float | None = None
        self._segmenter = Segmenter(threshold)
        self._pieces: list[tuple[float, Samples]] = []
        self._cursor = -math.inf
        self._change = Change()

    def push(self, at: float, samples: Samples) -> None:
        """Hear the audio of a packet that arrived then; whole frames of 20 ms, and the rest."""
        for begin in range(0, len(samples), FRAME):
            self._place(at + begin / RATE, samples[begin : begin + FRAME])
        self._change.notify()

    def hearing(self, begin: float, end: float) -> Hearing:
        """Return what was heard between two moments of the monotonic clock."""
        return self._segmenter.hearing(begin, end)

    def audio(self, begin: float, end: float) -> Samples:
        """Return the samples heard between two moments, silence where nothing came."""
        heard: Samples = np.zeros(max(0, round((end - begin) * RATE)), np.int16)
        for start, samples in self._pieces:
            first = round((start - begin) * RATE)
            piece = samples[max(0, -first) :]
            first = max(0, first)
            room = heard[first : first + len(piece)]
            room[:] = piece[: len(room)]
        return heard

    async def sound(self, after: float, timeout: float, *, new: bool = False) -> float:
        """Return when something was first heard at or after a moment.

        Raises:
            CallTimeoutError: Nothing was, within `timeout` seconds.
        """
        return await self._change.until(
            lambda: self._first_sound(after, new=new), timeout, f"no sound within {timeout:g} s"
        )

    async def silence(self, seconds: float, begin: float, timeout: float) -> float:
        """Return when a silence of so many seconds began, at or after a moment.

        Less than `Threshold.shortest_silence` is no silence.

        Raises:
            CallTimeoutError: It was never silent for so long, within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        seconds = max(seconds, self._segmenter.threshold.shortest_silence)
        while True:
            sounds = self._segmenter.sounds()
            since = max([begin, *(end for _, end in sounds)])
            for start, end in sounds:
                if start - begin >= seconds:
                    return begin
                begin = max(begin, end)
            left = since + seconds - time.monotonic()
            if left <= 0:
                return since
            message = f"no silence of {seconds:g} s within {timeout:g} s"
            await self._change.wait(deadline, message, wake=max(left, 0.005))

    def _first_sound(self, after: float, *, new: bool) -> float | None:
        for start, end in self._segmenter.sounds():
            if start >= after or (end > after and not new):
                return max(start, after)
        return None

    def _place(self, at: float, samples: Samples) -> None:
        if self.first_at is None:
            self.first_at = at
        level = level_of(samples)
        audible = self._segmenter.is_audible(level)
        behind = self._cursor - at
        if behind > (_FULL if audible else 0):
            self.overruns += audible
            return
        late = audible and self._segmenter.sounding and -behind <= _LATE
        start = self._cursor if late else max(at, self._cursor)
        seconds = len(samples) / RATE
        self._cursor = start + seconds
        self._pieces.append((start, samples))
        self._segmenter.push(Frame(start, seconds, level))

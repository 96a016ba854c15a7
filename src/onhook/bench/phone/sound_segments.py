"""What was heard: frames of audio become stretches of sound and of silence. Pure: no clock, no I/O.

A frame is audible from `Threshold.sound` dBFS upward and stays so until it falls below
`Threshold.silence` (hysteresis). Audible frames less than `shortest_silence` apart are one sound; a
sound with less than `shortest_sound` of audible frames is a click and counts as silence. Time in
which nothing arrived is silence.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from onhook.bench.phone.codec import Samples
from onhook.bench.phone.phone_errors import PhoneError

__all__ = [
    "FLOOR",
    "Frame",
    "Hearing",
    "Segmenter",
    "Stretch",
    "Threshold",
    "hear",
    "level_of",
]

FLOOR = -96.0
"""dBFS of nothing at all; 16 bits reach no lower."""

_FULL_SCALE = 32768.0


class Frame(NamedTuple):
    """A piece of audio: when it began (monotonic), its length in seconds, its level in dBFS."""

    start: float
    seconds: float
    level: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where sound begins.

    Args:
        sound: dBFS from which a frame is audible. Speech on a line is -35 to -15; G.711 renders
            digital silence as -96 (µ-law) or -72 (a-law).
        silence: dBFS below which an audible frame has become silent.
        shortest_sound: Seconds of audible frames that make a sound.
        shortest_silence: Seconds of silence that end a sound; the gaps between words are shorter.

    Raises:
        PhoneError: The levels are the wrong way round, or a duration is negative.
    """

    sound: float = -50.0
    silence: float = -55.0
    shortest_sound: float = 0.04
    shortest_silence: float = 0.2

    def __post_init__(self) -> None:
        if self.silence > self.sound or self.sound > 0:
            raise PhoneError(f"{self!r}: give levels with silence <= sound <= 0 dBFS")
        if self.shortest_sound < 0 or self.shortest_silence < 0:
            raise PhoneError(f"{self!r}: give durations of 0 seconds or more")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of only sound, or only silence.

    Args:
        audible: Whether it is sound.
        start: When it began, on the monotonic clock.
        end: When it ended.
        level: Its mean power in dBFS.
    """

    audible: bool
    start: float
    end: float
    level: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Hearing:
    """Everything heard between two moments: the stretches follow each other without a gap.

    Args:
        begin: The first moment, on the monotonic clock.
        end: The last one.
        stretches: Sound and silence by turns.
    """

    begin: float
    end: float
    stretches: tuple[Stretch, ...]

    @property
    def sounds(self) -> tuple[Stretch, ...]:
        """The stretches of sound."""
        return tuple(s for s in self.stretches if s.audible)

    @property
    def silences(self) -> tuple[Stretch, ...]:
        """The stretches of silence."""
        return tuple(s for s in self.stretches if not s.audible)

    @property
    def silent_seconds(self) -> float:
        """How long it was silent in all."""
        return sum((s.seconds for s in self.silences), 0.0)

    def first_sound(self, after: float = -math.inf, *, new: bool = False) -> float | None:
        """Return when something was first heard.

        Args:
            after: Not before this moment, on the monotonic clock.
            new: Only a sound that *began* then; one that was already under way does not count.
        """
        for sound in self.sounds:
            if sound.start >= after or (sound.end > after and not new):
                return max(sound.start, after)
        return None

    def longest_silence(self, begin: float = -math.inf, end: float = math.inf) -> float:
        """Return the seconds of the longest silence within an interval of the monotonic clock."""
        parts = (min(s.end, end) - max(s.start, begin) for s in self.silences)
        return max((seconds for seconds in parts if seconds > 0), default=0.0)

    def as_dict(self, zero: float = 0.0) -> dict[str, Any]:
        """Return it for JSON, in seconds since `zero`."""
        return {
            "begin": round(self.begin - zero, 3),
            "end": round(self.end - zero, 3),
            "silent_seconds": round(self.silent_seconds, 3),
            "longest_silence": round(self.longest_silence(), 3),
            "stretches": [
                {
                    "kind": "sound" if s.audible else "silence",
                    "start": round(s.start - zero, 3),
                    "end": round(s.end - zero, 3),
                    "dbfs": round(s.level, 1),
                }
                for s in self.stretches
            ],
        }


class Segmenter:
    """Finds the sounds while the frames come in, in the order of their start.

    Args:
        threshold: Where sound begins.
    """

    def __init__(self, threshold: Threshold | None = None) -> None:
        self.threshold = threshold or Threshold()
        self._last_end = -math.inf
        self._table = array("d")  # start and energy of every frame
        self._sounds: list[list[float]] = []  # start, end, seconds of audible frames
        self._audible = False

    def is_audible(self, level: float) -> bool:
        """Return whether a frame of that level would continue or begin a sound now."""
        limit = self.threshold.silence if self._audible else self.threshold.sound
        return level >= limit

    @property
    def sounding(self) -> bool:
        """Whether the newest frame was audible."""
        return self._audible

    def push(self, frame: Frame) -> None:
        """Take in the next frame."""
        if frame.start - self._last_end >= self.threshold.shortest_silence:
            self._audible = False
        self._last_end = frame.start + frame.seconds
        power = 10 ** (frame.level / 10) if frame.level > FLOOR else 0.0
        self._table.extend((frame.start, power * frame.seconds))
        self._audible = self.is_audible(frame.level)
        if not self._audible:
            return
        end = frame.start + frame.seconds
        if self._sounds and frame.start - self._sounds[-1][1] < self.threshold.shortest_silence:
            self._sounds[-1][1] = end
            self._sounds[-1][2] += frame.seconds
            return
        if self._sounds and not self._counts(self._sounds[-1]):
            self._sounds.pop()
        self._sounds.append([frame.start, end, frame.seconds])

    def sounds(self) -> list[tuple[float, float]]:
        """Return start and end of every sound so far."""
        return [(start, end) for start, end, _ in filter(self._counts, self._sounds)]

    def hearing(self, begin: float, end: float) -> Hearing:
        """Return what was heard between two moments."""
        end = max(begin, end)
        edges = [begin]
        for first, last in self.sounds():
            if last > begin and first < end:
                edges += [max(begin, first), min(end, last)]
        edges.append(end)
        levels = self._levels(edges)
        stretches = (
            Stretch(bool(index % 2), first, last, levels[index])
            for index, (first, last) in enumerate(itertools.pairwise(edges))
            if last > first
        )
        return Hearing(begin, end, tuple(stretches))

    def _counts(self, sound: list[float]) -> bool:
        return sound[2] >= self.threshold.shortest_sound - 1e-9

    def _levels(self, edges: list[float]) -> list[float]:
        """Return the mean power between each two edges; a frame belongs where it starts."""
        # a copy made at once: frames come in while another thread asks
        table = np.frombuffer(self._table.tobytes()).reshape(-1, 2)
        total = np.concatenate(([0.0], np.cumsum(table[:, 1])))
        at = np.searchsorted(table[:, 0], np.array(edges) - 1e-9)
        sums = np.diff(total[at])
        lengths = np.maximum(np.diff(edges), 1e-9)
        return [_decibels(float(power)) for power in sums / lengths]


def hear(
    frames: Iterable[Frame], begin: float, end: float, threshold: Threshold | None = None
) -> Hearing:
    """Return what was heard between two moments, from the frames in the order of their start."""
    segmenter = Segmenter(threshold)
    for frame in frames:
        segmenter.push(frame)
    return segmenter.hearing(begin, end)


def level_of(samples: Samples) -> float:
    """Return the root mean square in dBFS; `FLOOR` for digital silence or no samples."""
    if not len(samples):
        return FLOOR
    wide = samples.astype(np.float64)
    return _decibels(float(np.dot(wide, wide)) / len(wide) / _FULL_SCALE**2)


def _decibels(power: float) -> float:
    return max(FLOOR, min(0.0, 10 * math.log10(power))) if power > 0 else FLOOR

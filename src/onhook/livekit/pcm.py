"""Audio that is ready to be spoken: checked WAV files, and the built-in prompt."""

from __future__ import annotations

import os
import tempfile
import wave
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onhook.errors import AudioError

__all__ = ["SILENT", "Pcm", "audible", "built_in_prompt", "level", "load_wav", "save_wav"]

_RATES = (8000, 48000)
_SHORTEST = 0.1
SILENT = 10 ** (-50 / 20) * 32768
"""Level below which a phone line is silent: -50 dBFS."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """Mono 16-bit audio.

    Args:
        samples: The samples.
        rate: Samples a second.
    """

    samples: npt.NDArray[np.int16]
    rate: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate


def level(samples: npt.NDArray[Any]) -> float:
    """Return the root mean square of 16-bit samples, 0 to 32768; silence where there are none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float32)))) if len(samples) else 0.0


def audible(pcm: Pcm, window: float = 0.1) -> bool:
    """Return whether any part is louder than silence, as any speech is.

    Args:
        pcm: The audio.
        window: Seconds of a part; what is left over counts only where there is no whole one.
    """
    size = max(1, int(pcm.rate * window))
    whole = len(pcm.samples) // size * size or len(pcm.samples)
    return any(level(pcm.samples[at : at + size]) >= SILENT for at in range(0, whole, size))


def load_wav(path: Path) -> Pcm:
    """Read a WAV file that can be spoken to a caller.

    Args:
        path: Mono 16-bit PCM, 8000 to 48000 Hz, at least 0.1 s, not silent.

    Raises:
        AudioError: Names the file, what it holds and the command that mends it.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, count, *_ = file.getparams()
            data = file.readframes(count)
    except FileNotFoundError:
        raise AudioError(
            f"there is no audio file {str(path)!r}: give the path of a WAV file"
        ) from None
    except OSError as error:
        raise AudioError(f"cannot read the audio file {str(path)!r}: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends before its header does"  # EOFError has no words
        raise AudioError(f"{str(path)!r} is no PCM WAV file ({reason}): {_mend(path)}") from error
    if channels != 1 or width != 2 or not _RATES[0] <= rate <= _RATES[1]:
        raise AudioError(
            f"{str(path)!r} has {channels} channel(s), {8 * width} bits, {rate} Hz; needed are "
            f"1 channel, 16 bits, {_RATES[0]} to {_RATES[1]} Hz: {_mend(path)}"
        )
    pcm = Pcm(np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16), rate)
    if pcm.seconds < _SHORTEST or not audible(pcm):
        raise AudioError(
            f"{str(path)!r} is silent ({pcm.seconds:.2f} s): a caller would hear nothing. "
            "Record it again, or leave `audio` out to use the built-in prompt"
        )
    return pcm


def save_wav(path: Path, pcm: Pcm) -> None:
    """Write a mono 16-bit WAV file, whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as raw, wave.open(raw) as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(pcm.rate)
            file.writeframes(pcm.samples.astype("<i2").tobytes())
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


@cache
def built_in_prompt(name: str = "apology") -> Pcm:
    """Return a prompt that ships with onhook, in English.

    Args:
        name: `"apology"`, about five seconds, `"time-limit"`, about three, or `"one-moment"`,
            about one.
    """
    with (
        files("onhook").joinpath("prompts", f"{name}.wav").open("rb") as raw,
        wave.open(raw) as file,
    ):
        data = file.readframes(file.getnframes())
        return Pcm(np.frombuffer(data, dtype="<i2").astype(np.int16), file.getframerate())


def _mend(path: Path) -> str:
    return f"sox {str(path)!r} -r 24000 -c 1 -b 16 mended.wav"

"""Audio files and speech, brought to the 8000 Hz mono of a telephone line."""

from __future__ import annotations

import asyncio
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np

from onhook.bench.espeak import espeak
from onhook.bench.phone.codec import RATE, Samples
from onhook.bench.phone.phone_errors import PhoneError
from onhook.errors import AudioError, OnhookError

__all__ = ["check_samples", "load_audio", "save_wav", "speech"]


def load_audio(path: Path | str) -> Samples:
    """Read an audio file of any format that FFmpeg knows, resampled to `RATE`.

    Raises:
        AudioError: It is missing, unreadable, or has no audio.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"there is no audio file {str(path)!r}: give the path of a WAV file")
    return _decode(str(path), str(path))


def save_wav(path: Path | str, samples: Samples) -> None:
    """Write a mono 16-bit WAV file at `RATE`, whole or not at all.

    Raises:
        AudioError: The folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(part), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.astype("<i2").tobytes())
        part.replace(path)
    except OSError as error:
        raise AudioError(f"cannot write {str(path)!r}: {error.strerror}") from error


def check_samples(samples: Samples) -> Samples:
    """Return samples that can be played.

    Raises:
        AudioError: They are not mono 16-bit.
    """
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise AudioError(
            f"cannot play an array of {samples.dtype}, {samples.ndim} dimension(s): give int16 "
            f"samples, mono, {RATE} Hz"
        )
    return samples


async def speech(text: str, *, voice: str = "en-us") -> Samples:
    """Speak a text with espeak-ng.

    Args:
        text: What to say.
        voice: A voice of `espeak-ng --voices`; an unknown one becomes its default.

    Raises:
        PhoneError: espeak-ng is not installed, fails or hangs.
    """
    try:
        data = await espeak(text, voice)
    except OnhookError as error:
        raise PhoneError(str(error)) from error
    return await asyncio.to_thread(_decode, io.BytesIO(data), f"the speech {text!r}")


def _decode(source: Any, name: str) -> Samples:
    import av  # noqa: PLC0415  (0.2 s to load; `onhook --help` needs none of it)

    try:
        with av.open(source) as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            frames = [
                out for frame in container.decode(audio=0) for out in resampler.resample(frame)
            ]
            frames += resampler.resample(None)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise AudioError(f"cannot read {name!r} as audio: {error!r}; give a WAV file") from error
    pieces: list[Samples] = [frame.to_ndarray().reshape(-1).astype(np.int16) for frame in frames]
    if not sum(len(piece) for piece in pieces):
        raise AudioError(f"{name!r} holds no audio: give a WAV file that is not empty")
    return np.concatenate(pieces)

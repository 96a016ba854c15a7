"""Speech by espeak-ng, in the formats that OpenAI's interface offers, and the level of audio."""

from __future__ import annotations

import asyncio
import io
import math
import wave
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from onhook.bench.espeak import espeak
from onhook.bench.simulator.simulator_errors import SimulatorError
from onhook.errors import OnhookError

__all__ = ["CONTENT_TYPES", "RATE", "encode", "level", "speak"]

RATE = 24000
"""Sample rate of OpenAI's speech, Hz (platform.openai.com/docs/guides/text-to-speech)."""
CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "aac": "audio/aac",
}
_CODECS = {
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "opus": ("ogg", "libopus"),
    "aac": ("adts", "aac"),
}
_OPUS_RATE = 48000
"""libopus takes 8, 12, 16, 24 and 48 kHz; the container counts in 48 kHz (RFC 7845)."""
_SILENCE = -120.0

Samples = npt.NDArray[np.int16]


async def speak(text: str, rate: int = RATE, voice: str = "en-gb") -> Samples:
    """Return speech, mono.

    Args:
        text: The words; nothing that can be said gives half a second of near silence.
        rate: Samples a second.
        voice: A voice of `espeak-ng --voices`.

    Raises:
        SimulatorError: espeak-ng is missing or fails.
    """
    try:
        data = await espeak(text, voice)
    except OnhookError as error:
        raise SimulatorError(str(error)) from error
    return await asyncio.to_thread(_resampled, data, rate)


def encode(samples: Samples, rate: int, form: str) -> bytes:
    """Encode speech.

    Args:
        samples: Mono.
        rate: Samples a second.
        form: A key of `CONTENT_TYPES`.

    Raises:
        SimulatorError: The format is not known.
    """
    if form == "pcm":
        return samples.astype("<i2").tobytes()
    out = io.BytesIO()
    if form == "wav":
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(samples.astype("<i2").tobytes())
        return out.getvalue()
    if form not in _CODECS:
        raise SimulatorError(f"no speech in {form!r}; known: {', '.join(CONTENT_TYPES)}")
    container, codec = _CODECS[form]
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=_OPUS_RATE if form == "opus" else rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        wanted = stream.codec_context
        resampler = av.AudioResampler(wanted.format, wanted.layout, wanted.sample_rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def level(data: bytes) -> float:
    """Return the loudness of audio of any format that FFmpeg knows, dBFS over its whole length.

    Raises:
        SimulatorError: It is no audio.
    """
    try:
        samples = _resampled(data, RATE).astype(np.float64) / 32768
    except av.FFmpegError as error:
        raise SimulatorError(f"the upload is no audio: {error}") from error
    power = float((samples**2).mean()) if samples.size else 0.0
    return max(_SILENCE, 10 * math.log10(power)) if power else _SILENCE


def _resampled(data: bytes, rate: int) -> Samples:
    resampler = av.AudioResampler("s16", "mono", rate)
    with av.open(io.BytesIO(data), "r") as file:
        parts = [
            part.to_ndarray().reshape(-1)
            for frame in (*file.decode(audio=0), None)
            for part in resampler.resample(frame)
        ]
    return np.concatenate(parts).astype(np.int16) if parts else np.zeros(0, np.int16)

"""G.711, which every telephone line carries: 8000 samples a second, one byte each.

The tables are taken from FFmpeg (through PyAV) once; after that a frame costs one lookup.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from onhook.bench.phone.phone_errors import PhoneError

__all__ = ["PCMA", "PCMU", "RATE", "Codec", "Samples", "codec_named"]

RATE = 8000
"""Samples a second of everything the phone sends and hears."""

Samples = npt.NDArray[np.int16]
"""Mono 16-bit audio at `RATE`."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One of the two codecs of G.711.

    Args:
        name: The name in SDP (RFC 4856).
        payload_type: Its static RTP payload type (RFC 3551, table 4).
        ffmpeg: FFmpeg's name for it.
    """

    name: str
    payload_type: int
    ffmpeg: str

    def load(self) -> None:
        """Make the tables ready; without, the first frame does it, which takes 0.1 s."""
        _encoding(self.ffmpeg)
        _decoding(self.ffmpeg)

    def encode(self, samples: Samples) -> bytes:
        """Return one byte for each sample."""
        return _encoding(self.ffmpeg)[samples.view(np.uint16)].tobytes()

    def decode(self, payload: bytes) -> Samples:
        """Return one sample for each byte."""
        return _decoding(self.ffmpeg)[np.frombuffer(payload, np.uint8)]


PCMU = Codec("PCMU", 0, "pcm_mulaw")
PCMA = Codec("PCMA", 8, "pcm_alaw")


def codec_named(name: str) -> Codec:
    """Return the codec of that name, in any case.

    Raises:
        PhoneError: There is none.
    """
    for codec in (PCMU, PCMA):
        if name.upper() == codec.name:
            return codec
    raise PhoneError(f"unknown codec {name!r}: give 'pcmu' (µ-law) or 'pcma' (a-law)")


@cache
def _decoding(ffmpeg: str) -> Samples:
    import av  # noqa: PLC0415  (0.2 s to load; `onhook --help` needs none of it)

    context: Any = av.CodecContext.create(ffmpeg, "r")
    context.sample_rate, context.layout = RATE, "mono"
    (frame,) = context.decode(av.Packet(bytes(range(256))))
    table: Samples = frame.to_ndarray()[0].astype(np.int16)
    return table


@cache
def _encoding(ffmpeg: str) -> npt.NDArray[np.uint8]:
    import av  # noqa: PLC0415

    context: Any = av.CodecContext.create(ffmpeg, "w")
    context.sample_rate, context.layout, context.format = RATE, "mono", "s16"
    every = np.arange(65536, dtype=np.uint16).view(np.int16)
    frame = av.AudioFrame.from_ndarray(every.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = RATE
    packets = [*context.encode(frame), *context.encode(None)]
    return np.frombuffer(b"".join(bytes(packet) for packet in packets), np.uint8)

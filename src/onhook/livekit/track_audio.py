"""What is heard on one track of a room, block by block; one's own tracks too."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

__all__ = ["blocks_of"]

_QUEUED = 20
"""Blocks of a track that may wait for a busy loop; older ones are dropped."""


async def blocks_of(
    track: rtc.RemoteAudioTrack | rtc.LocalAudioTrack, *, rate: int, seconds: float
) -> AsyncGenerator[NDArray[np.int16]]:
    """Yield a track's audio until the track ends. Close it (`contextlib.aclosing`).

    Args:
        track: A track of a room, subscribed or published.
        rate: Samples a second.
        seconds: How long a block is.
    """
    stream = rtc.AudioStream(
        track,
        sample_rate=rate,
        num_channels=1,
        frame_size_ms=round(seconds * 1000),
        capacity=_QUEUED,
    )
    try:
        async for event in stream:
            yield np.frombuffer(event.frame.data, dtype=np.int16)
    finally:
        await stream.aclose()

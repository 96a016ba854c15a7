"""What is heard on one track of a room, block by block; one's own tracks too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import TypeVar

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from onhook.livekit.room_changes import Changes
from onhook.tasks import end

__all__ = ["blocks_of", "follow_tracks"]

AnyTrack = TypeVar("AnyTrack", rtc.RemoteAudioTrack, rtc.LocalAudioTrack)

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


async def follow_tracks(
    room: rtc.Room,
    tracks: Callable[[], Iterable[AnyTrack]],
    hear: Callable[[AnyTrack], Coroutine[None, None, None]],
) -> None:
    """Listen to each track of a room as they come and go, until cancelled.

    Args:
        room: The room, connected or not yet.
        tracks: Returns those that are there now, while the room is connected.
        hear: Listens to one of them to its end; it raises nothing.
    """
    heard: dict[int, tuple[AnyTrack, asyncio.Task[None]]] = {}  # those that have ended too
    with Changes(room) as changes:
        try:
            while True:
                for track in tracks() if room.isconnected() else ():
                    if id(track) not in heard:
                        task = asyncio.create_task(hear(track), name="onhook-listens")
                        heard[id(track)] = (track, task)
                await changes.wait(None)
        finally:
            await end(*(task for _, task in heard.values()))

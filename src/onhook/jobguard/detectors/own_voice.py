"""Does the job itself speak, without any session? What it publishes is listened to."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterator

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from onhook.jobguard.silence.voice_detector import BLOCK, RATE, VoiceDetector
from onhook.livekit.announcer import TRACK
from onhook.livekit.pcm import Pcm, audible
from onhook.livekit.track_audio import blocks_of, follow_tracks

__all__ = ["AMBIENCE", "OwnVoice", "own_voices"]

logger = logging.getLogger("onhook")

AMBIENCE = "background_audio"
"""The track of livekit-agents' `BackgroundAudioPlayer` (`voice/background_audio.py`)."""
_NO_PLACEHOLDER = 3.0
"""Seconds of any sound that are no placeholder: music for somebody who waits, a recording."""


def own_voices(room: rtc.Room) -> list[rtc.LocalTrackPublication]:
    """Return what the job publishes and is neither background sounds nor our announcements.

    Args:
        room: The job's room, connected.
    """
    published = room.local_participant.track_publications.values()
    return [
        each
        for each in published
        if each.kind == rtc.TrackKind.KIND_AUDIO and each.name not in (AMBIENCE, TRACK)
    ]


class OwnVoice:
    """Listens to the tracks that the job publishes: a beep is no first word, a voice is.

    Background sounds and our own announcements are no agent's voice. A track that cannot be
    listened to is given the benefit of the doubt.

    Args:
        room: The job's room.
        clock: Seconds of a monotonic clock.
        blocks: Yields the audio of a track.
    """

    def __init__(
        self,
        room: rtc.Room,
        clock: Callable[[], float],
        blocks: Callable[[rtc.LocalAudioTrack], AsyncGenerator[NDArray[np.int16]]] | None = None,
    ) -> None:
        self._room = room
        self._clock = clock
        self._blocks = blocks or _blocks
        self._doubted = False
        self._heard_at: float | None = None

    def heard_since(self, at: float) -> bool:
        """Return whether a word was heard.

        Args:
            at: Since when, in seconds of the clock.
        """
        return self._doubted or (self._heard_at is not None and self._heard_at >= at)

    async def listen(self) -> None:
        """Follow the job's tracks as they come and go, until cancelled."""
        await follow_tracks(self._room, self._published, self._hear)

    def _published(self) -> Iterator[rtc.LocalAudioTrack]:
        for publication in own_voices(self._room):
            if isinstance(track := publication.track, rtc.LocalAudioTrack):
                yield track

    async def _hear(self, track: rtc.LocalAudioTrack) -> None:
        detector, sounded = VoiceDetector(), 0.0
        try:
            async with contextlib.aclosing(self._blocks(track)) as blocks:
                async for samples in blocks:
                    at = self._clock()
                    detector.push(samples, at)
                    sounded += BLOCK if audible(Pcm(samples, RATE)) else 0.0
                    if detector.speaking or sounded >= _NO_PLACEHOLDER:
                        self._heard_at = at
        except Exception as error:  # noqa: BLE001 - the boundary to what rtc can listen to
            logger.debug("onhook cannot listen to the agent's own track: %r", error)
            self._doubted = True


def _blocks(track: rtc.LocalAudioTrack) -> AsyncGenerator[NDArray[np.int16]]:
    return blocks_of(track, rate=RATE, seconds=BLOCK)

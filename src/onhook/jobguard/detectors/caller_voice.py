"""Ears of our own: the caller's voice on the phone's track, whatever the session hears of it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator

from livekit import rtc

from onhook.jobguard.silence.utterances import VoiceListener
from onhook.jobguard.silence.voice_detector import BLOCK, RATE, VoiceDetector
from onhook.livekit.picture import from_room
from onhook.livekit.track_audio import blocks_of, follow_tracks

__all__ = ["CallerVoice"]

logger = logging.getLogger("onhook")


class CallerVoice:
    """Listens to every caller's leg of a room, and changes no subscription.

    Args:
        room: The job's room.
        listeners: Returns who is told.
        clock: Seconds of the job's monotonic clock.
    """

    def __init__(
        self,
        room: rtc.Room,
        listeners: Callable[[], Iterable[VoiceListener]],
        clock: Callable[[], float],
    ) -> None:
        self._room = room
        self._listeners = listeners
        self._clock = clock

    async def listen(self) -> None:
        """Follow the callers' tracks as they come and go, until cancelled."""
        await follow_tracks(self._room, self._subscribed, self._hear)

    def _subscribed(self) -> Iterator[rtc.RemoteAudioTrack]:
        callers = {leg.identity for leg in from_room(self._room).callers}
        for participant in tuple(self._room.remote_participants.values()):
            if participant.identity in callers:
                for publication in tuple(participant.track_publications.values()):
                    if isinstance(publication.track, rtc.RemoteAudioTrack):
                        yield publication.track

    async def _hear(self, track: rtc.RemoteAudioTrack) -> None:
        """Listen to one track to its end."""
        detector, speaking = VoiceDetector(), False
        try:
            async with contextlib.aclosing(blocks_of(track, rate=RATE, seconds=BLOCK)) as blocks:
                async for samples in blocks:
                    at = self._clock()
                    utterance = detector.push(samples, at)
                    if detector.speaking is not speaking:
                        speaking = detector.speaking
                        since = at if speaking else detector.heard_at
                        for listener in self._listeners():
                            listener.caller_voice(since, speaking=speaking)
                    if utterance is not None:
                        for listener in self._listeners():
                            listener.caller_said(utterance)
        except Exception:
            logger.exception("onhook cannot listen to the caller's track %s any more", track.sid)
        finally:
            if speaking:
                for listener in self._listeners():
                    listener.caller_voice(self._clock(), speaking=False)

"""Does what the agent says leave it, as far as the job's room shows it?"""

from __future__ import annotations

from livekit import rtc

from onhook.jobguard.detectors.own_voice import own_voices
from onhook.livekit.framework.room_internals import permissions_of
from onhook.livekit.picture import may_publish

__all__ = ["VoicePath"]


class VoicePath:
    """Looks at the tracks that the job publishes.

    Args:
        room: The job's room, connected.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._published = False
        """Whether there was a voice of its own; an avatar's is published by somebody else."""

    def broken(self) -> str:
        """Return why nobody gets what is sent; empty where they do."""
        voices = own_voices(self._room)
        self._published = self._published or bool(voices)
        if not may_publish(permissions_of(self._room.local_participant)):
            return "the agent may not publish any more"
        if self._published and not voices:
            return "the agent's track is not published any more"
        if voices and all(each.muted for each in voices):
            return "the agent's track is muted"
        return ""

"""Can what the agent sends reach the caller, as far as the job's room shows it?

That a leg was unsubscribed by the server's API it does not show (rtc 1.1).
"""

from __future__ import annotations

from collections.abc import Collection

from livekit import rtc

from onhook.jobguard.detectors.own_voice import own_voices
from onhook.livekit.framework.room_internals import permissions_of
from onhook.livekit.picture import may_publish, may_subscribe

__all__ = ["VoicePath"]


class VoicePath:
    """Looks at the tracks that the job publishes, and at what its callers may do.

    Args:
        room: The job's room, connected.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._published = False
        """Whether there was a voice of its own; an avatar's is published by somebody else."""

    def broken(self, callers: Collection[str]) -> str:
        """Return why callers get nothing of what is sent; empty where they do.

        Args:
            callers: Their identities.
        """
        voices = own_voices(self._room)
        self._published = self._published or bool(voices)
        if not may_publish(permissions_of(self._room.local_participant)):
            return "the agent may not publish any more"
        if self._published and not voices:
            return "the agent's track is not published any more"
        if voices and all(each.muted for each in voices):
            return "the agent's track is muted"
        legs = [self._room.remote_participants.get(identity) for identity in callers]
        told = [permissions_of(leg) for leg in legs if leg is not None]
        if told and not any(map(may_subscribe, told)):
            return "the caller's leg may not subscribe to any track"
        return ""

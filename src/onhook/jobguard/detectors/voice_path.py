"""Can what the agent sends reach the caller, as far as the job's room shows it?

That a leg was unsubscribed by the server's API it does not show (rtc 1.1).
"""

from __future__ import annotations

from collections.abc import Collection

from livekit import rtc

from onhook.jobguard.detectors.own_voice import AMBIENCE
from onhook.livekit.announcer import TRACK
from onhook.livekit.framework.room_internals import permissions_of

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
        published = self._room.local_participant.track_publications.values()
        voices = [
            each
            for each in published
            if each.kind == rtc.TrackKind.KIND_AUDIO and each.name not in (AMBIENCE, TRACK)
        ]
        self._published = self._published or bool(voices)
        mine = permissions_of(self._room.local_participant)
        if mine is not None and not mine.can_publish:
            return "the agent may not publish any more"
        if self._published and not voices:
            return "the agent's track is not published any more"
        if voices and all(each.muted for each in voices):
            return "the agent's track is muted"
        legs = [self._room.remote_participants.get(identity) for identity in callers]
        allowed = [permissions_of(leg) for leg in legs if leg is not None]
        if allowed and all(each is not None and not each.can_subscribe for each in allowed):
            return "the caller's leg may not subscribe to any track"
        return ""

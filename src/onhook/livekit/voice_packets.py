"""Whether packets of a participant's voice arrive: an agent that lives sends silence too."""

from __future__ import annotations

import asyncio
import logging

from livekit import rtc

from onhook.errors import OnhookError
from onhook.livekit.announcer import TRACK, joined
from onhook.livekit.credentials import Credentials
from onhook.livekit.room_changes import Changes

__all__ = ["sends_voice"]

logger = logging.getLogger("onhook")

_JOIN = 2.0
_SUBSCRIBE = 1.5
"""Seconds until a track that is listed can be received."""
_LISTEN = 1.0
"""Seconds without a packet. A voice that is silent is sent as one packet in 0.4 s at least (Opus'
discontinuous transmission, RFC 7587 section 3.1.3)."""
_LOOK = 0.1
_STATS = 0.5


async def sends_voice(credentials: Credentials, room: str, identity: str) -> bool | None:
    """Join a room hidden, and return whether packets of a participant's voice arrive.

    `None` where that cannot be told: the room could not be joined, or there is no such track of a
    participant who is there. Of one who is not, whatever a list says, nothing arrives.

    Args:
        credentials: Server and key.
        room: Room name.
        identity: The participant.
    """
    try:
        async with joined(
            credentials, room, limit=asyncio.timeout(_JOIN), listens=True
        ) as listening:
            track = await _subscribed(listening, identity)
            if track is None:
                return None if identity in listening.remote_participants else False
            return await _arrive(track)
    except (OnhookError, TimeoutError) as error:
        logger.info("room %s: %r could not be listened to: %r", room, identity, error)
        return None


async def _subscribed(room: rtc.Room, identity: str) -> rtc.RemoteAudioTrack | None:
    with Changes(room) as changes:
        try:
            async with asyncio.timeout(_SUBSCRIBE):
                while True:
                    for publication in _voices(room, identity):
                        track = publication.track
                        if isinstance(track, rtc.RemoteAudioTrack):
                            return track
                        publication.set_subscribed(True)
                    await changes.wait(_LOOK)
        except TimeoutError:
            return None


def _voices(room: rtc.Room, identity: str) -> list[rtc.RemoteTrackPublication]:
    participant = room.remote_participants.get(identity)
    published = participant.track_publications.values() if participant is not None else ()
    return [
        each
        for each in published
        if each.kind == rtc.TrackKind.KIND_AUDIO and each.name != TRACK and not each.muted
    ]


async def _arrive(track: rtc.RemoteAudioTrack) -> bool:
    """Return at the first packet, or after as long as silence may take."""
    clock = asyncio.get_running_loop().time
    until = clock() + _LISTEN
    while clock() < until:
        async with asyncio.timeout(_STATS):
            stats = await track.get_stats()
        if any(each.inbound_rtp.received.packets_received for each in stats):
            return True
        await asyncio.sleep(_LOOK)
    return False

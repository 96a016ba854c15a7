"""Listens to who is in a room: present is not alive, and a published track is not a voice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator

from livekit import rtc

from onhook.errors import OnhookError
from onhook.livekit.announcer import TRACK
from onhook.livekit.pcm import Pcm, audible
from onhook.livekit.picture import from_room
from onhook.livekit.room_changes import Changes
from onhook.livekit.track_audio import blocks_of

__all__ = ["first_heard"]

_RATE = 16000
_WINDOW = 0.1
"""Seconds that are judged at a time."""


async def first_heard(room: rtc.Room, who: Collection[str]) -> str:
    """Subscribe to the audio of some participants; return the first that is louder than -50 dBFS.

    An announcement of onhook's own is no sign of life of the agent whose room it is spoken in.

    Args:
        room: A connected room.
        who: Identities, in the room already or still to come.

    Raises:
        OnhookError: The last caller has left, or the room's connection is gone.
    """
    listening: dict[str, asyncio.Task[str]] = {}
    with Changes(room) as changes:
        try:
            while True:
                if not (room.isconnected() and from_room(room).callers):
                    raise OnhookError(
                        f"the caller has left room {room.name!r} before {sorted(who)} was heard"
                    )
                for identity, publication in _published(room, who):
                    track = publication.track
                    if not publication.subscribed:
                        publication.set_subscribed(True)
                    elif isinstance(track, rtc.RemoteAudioTrack) and track.sid not in listening:
                        task = asyncio.create_task(_listen(track, identity), name="onhook-listen")
                        task.add_done_callback(changes.wake)
                        listening[track.sid] = task
                for task in listening.values():
                    if task.done() and task.result():
                        return task.result()
                await changes.wait(None)
        finally:
            for task in listening.values():
                task.cancel()
            await asyncio.gather(*listening.values(), return_exceptions=True)


def _published(
    room: rtc.Room, who: Collection[str]
) -> Iterator[tuple[str, rtc.RemoteTrackPublication]]:
    for identity in who:
        participant = room.remote_participants.get(identity)
        for publication in participant.track_publications.values() if participant else ():
            if publication.kind == rtc.TrackKind.KIND_AUDIO and publication.name != TRACK:
                yield identity, publication


async def _listen(track: rtc.RemoteAudioTrack, identity: str) -> str:
    """Return the identity once a tenth of a second is loud; an empty text when the track ends."""
    async with contextlib.aclosing(blocks_of(track, rate=_RATE, seconds=_WINDOW)) as blocks:
        async for samples in blocks:
            if audible(Pcm(samples, _RATE)):
                return identity
    return ""

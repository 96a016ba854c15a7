"""Legs that join a room of the stack by rtc, of any kind, where no phone is needed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal

from livekit import api, rtc

from onhook.bench.stack import Stack

__all__ = ["Microphone", "connected", "connected_to", "publish"]

Kind = Literal["standard", "agent", "sip"]


@dataclass(frozen=True, slots=True)
class Microphone:
    """A published track and what feeds it."""

    sid: str
    source: rtc.AudioSource


def connected(
    stack: Stack, name: str, identity: str, kind: Kind
) -> contextlib.AbstractAsyncContextManager[rtc.Room]:
    """Join a room."""
    return connected_to(stack.env, name, identity, kind)


@contextlib.asynccontextmanager
async def connected_to(
    env: Mapping[str, str], name: str, identity: str, kind: Kind
) -> AsyncIterator[rtc.Room]:
    """Join a room of the server that these variables name."""
    token = (
        api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
        .with_identity(identity)
        .with_kind(kind)
        .with_grants(api.VideoGrants(room_join=True, room=name))
        .to_jwt()
    )
    room = rtc.Room()
    await room.connect(env["LIVEKIT_URL"], token)
    try:
        yield room
    finally:
        await room.disconnect()


async def publish(room: rtc.Room) -> Microphone:
    """Publish a track of 8000 Hz, as livekit-sip does for G.711."""
    source = rtc.AudioSource(8000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    publication = await room.local_participant.publish_track(track)
    return Microphone(publication.sid, source)

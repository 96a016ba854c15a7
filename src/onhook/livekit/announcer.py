"""Speaks to a caller on a track of its own, whatever became of the agent's session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from livekit import rtc
from livekit.rtc.participant import PublishTrackError, UnpublishTrackError

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.livekit.credentials import ANNOUNCER, Credentials
from onhook.livekit.pcm import Pcm

__all__ = ["TRACK", "joined", "speak"]

logger = logging.getLogger("onhook")

TRACK = "onhook"
"""The name of the track on which onhook speaks, in whoever's room."""

_CHUNK = 0.02
_QUEUE_MS = 200
_LEAD = 0.06
"""Seconds of silence first, so that a receiver that is just opening clips nothing."""
_ONSET = 0.15
"""Seconds by which the first sound of a track that is just opening reaches a phone later than the
rest does: 0.1 to 0.2, measured at the phone."""
_TAIL = 0.25
"""Seconds after the last sample: the SIP service plays out a jitter buffer of its own."""
_ANSWER = 1.0
"""Seconds that a ringing line gets to become active once our track is there."""
_RELEASE = 1.0
_JOINING = 20.0
"""Seconds for a connection that nobody waits for any more to be there, so that it can be ended."""

_leaving: set[asyncio.Task[None]] = set()
"""Tasks that outlive the announcement that began them; each is bounded."""


@contextlib.asynccontextmanager
async def joined(
    credentials: Credentials,
    room: str,
    *,
    limit: AbstractAsyncContextManager[object],
    listens: bool = False,
) -> AsyncIterator[rtc.Room]:
    """Join a room as the announcer, for calls whose agent never connected or has left.

    Args:
        credentials: Key and secret sign the join token.
        room: Room name. Ask the server first whether it exists: joining would create it.
        limit: Ends the connecting by `TimeoutError`, such as `asyncio.timeout`.
        listens: Join to listen, hidden, and not to speak.

    Raises:
        OnhookError: It could not be joined in time.
    """
    mine = rtc.Room()
    identity = f"onhook-{ANNOUNCER}-{uuid.uuid4().hex[:8]}"
    token = credentials.join_token(room, identity, listens=listens)
    url = credentials.url
    clock = asyncio.get_running_loop().time
    began = clock()
    options = rtc.RoomOptions(auto_subscribe=False)
    connecting = asyncio.create_task(mine.connect(url, token, options=options), name="onhook-join")
    try:
        try:
            async with limit:
                await asyncio.shield(connecting)
        except (TimeoutError, rtc.ConnectError) as error:
            raise OnhookError(
                f"the announcer could not join room {room!r} at {url} "
                f"within {clock() - began:.1f} s: {error}"
            ) from error
        yield mine
    finally:
        if connecting.done():
            await _within(_RELEASE, mine.disconnect())
        else:
            leaving = asyncio.create_task(_leave(mine, connecting), name="onhook-leave")
            _leaving.add(leaving)
            leaving.add_done_callback(_leaving.discard)


async def _leave(room: rtc.Room, connecting: asyncio.Task[None]) -> None:
    """Leave a room once it is joined: a connection cannot be called off (livekit rtc/room.py)."""
    try:
        async with asyncio.timeout(_JOINING):
            await connecting
    except (TimeoutError, rtc.ConnectError) as error:
        logger.debug("an announcer that was not needed any more never came: %r", error)
        return
    await _within(_RELEASE, room.disconnect())


async def speak(
    room: rtc.Room,
    pcm: Pcm,
    *,
    limit: AbstractAsyncContextManager[object],
    picture: Callable[[], Call],
    heard: Callable[[bool], None] | None = None,
) -> None:
    """Publish a track, wait until it is heard, play the audio to its end, take the track away.

    Stops early when the last caller hangs up.

    Args:
        room: A connected room.
        pcm: The audio.
        limit: Ends the waiting for somebody to subscribe to the track by `TimeoutError`.
        picture: The call now; a line that rings is answered by our publishing (livekit-sip).
        heard: Is told when the audio begins to be heard, and when that ends.

    Raises:
        OnhookError: Nobody subscribed in time, or the track could not be published.
    """
    source = rtc.AudioSource(pcm.rate, 1, queue_size_ms=_QUEUE_MS)
    track = rtc.LocalAudioTrack.create_audio_track(TRACK, source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    publication: rtc.LocalTrackPublication | None = None
    try:
        try:
            async with limit:
                publication = await room.local_participant.publish_track(track, options)
                await publication.wait_for_subscription()
        except (TimeoutError, PublishTrackError) as error:
            raise OnhookError(
                f"nobody in room {room.name!r} listened to the announcement in time {error}"
            ) from error
        await _active(room, picture)
        await _play(source, pcm, picture, heard or _nobody)
    finally:
        source.clear_queue()
        if publication is not None:
            await _within(_RELEASE, room.local_participant.unpublish_track(publication.sid))
        await source.aclose()


async def _active(room: rtc.Room, picture: Callable[[], Call]) -> None:
    """Wait until a ringing line is active, but not for long: words into ringback are lost."""
    changed = asyncio.Event()

    def wake(*_: object) -> None:
        changed.set()

    room.on("participant_attributes_changed", wake)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER):
                while picture().ringing:
                    await changed.wait()
                    changed.clear()
    finally:
        room.off("participant_attributes_changed", wake)


async def _play(
    source: rtc.AudioSource,
    pcm: Pcm,
    picture: Callable[[], Call],
    heard: Callable[[bool], None],
) -> None:
    data = bytes(2 * int(pcm.rate * _LEAD)) + pcm.samples.tobytes()
    step = 2 * int(pcm.rate * _CHUNK)
    loop = asyncio.get_running_loop()
    # the source's queue takes the first chunks at once, and plays them from then on
    begins = loop.call_later(_LEAD + _ONSET, heard, True)
    ends = loop.call_later(_LEAD + pcm.seconds, heard, False)
    try:
        for start in range(0, len(data), step):
            if not picture().callers:
                return
            chunk = data[start : start + step]
            await source.capture_frame(rtc.AudioFrame(chunk, pcm.rate, 1, len(chunk) // 2))
        await source.wait_for_playout()
    finally:
        begins.cancel()
        ends.cancel()
        heard(False)
    await asyncio.sleep(_TAIL)


def _nobody(_: bool) -> None:
    pass


async def _within(seconds: float, cleanup: Awaitable[None]) -> None:
    """Run a cleanup that must not hang; the room may be gone already, and that is as good."""
    try:
        async with asyncio.timeout(seconds):
            await cleanup
    except TimeoutError:
        logger.warning("cleaning up after an announcement took longer than %g s", seconds)
    except UnpublishTrackError as error:
        logger.debug("the announcement's track was gone already: %s", error)

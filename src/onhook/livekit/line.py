"""A call's line on a real LiveKit server: the port through which rungs act."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from livekit import rtc

from onhook.errors import AudioError, OnhookError
from onhook.line import Announcement
from onhook.livekit import announcer, picture
from onhook.livekit.api import ServerApi
from onhook.livekit.audio import Pcm, built_in_prompt, load_wav
from onhook.livekit.credentials import Credentials
from onhook.livekit.renderings import Renderings, Tts, engine_of, is_tts, render
from onhook.types import Call

__all__ = ["LiveKitLine"]

logger = logging.getLogger("onhook")


class LiveKitLine:
    """Implements `onhook.line.Line`. Leave the context to close every connection.

    Args:
        credentials: Server and key.
        room: Room name.
        own: The job's own room; used while it is connected, else the server is asked and the
            announcer joins by itself. `None` where there is no job.
        agent: Identity of the guarded agent.
        job: LiveKit job id.
        api_timeout: Seconds for one server request.
        renderings: Where cached renderings are.
        voice: Returns the TTS of the running session, whose cached rendering is wanted, or `None`.
    """

    def __init__(
        self,
        credentials: Credentials,
        room: str,
        *,
        own: rtc.Room | None = None,
        agent: str = "",
        job: str = "",
        api_timeout: float = 5.0,
        renderings: Renderings | None = None,
        voice: Callable[[], Tts | None] = lambda: None,
    ) -> None:
        self._credentials = credentials
        self._room = room
        self._own = own
        self._agent = agent
        self._job = job
        self._api = ServerApi(credentials, timeout=api_timeout)
        self._renderings = renderings or Renderings()
        self._voice = voice

    async def __aenter__(self) -> LiveKitLine:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.aclose()

    async def picture(self) -> Call:
        """See `onhook.line.Line.picture`."""
        if self._own is not None and _live(self._own):
            return picture.from_room(self._own, job=self._job)
        listing = await self._api.participants(self._room)
        return picture.from_listing(self._room, listing, agent=self._agent, job=self._job)

    async def remove(self, identity: str) -> None:
        """See `onhook.line.Line.remove`."""
        await self._api.remove(self._room, identity)

    async def delete_room(self) -> None:
        """See `onhook.line.Line.delete_room`."""
        await self._api.delete_room(self._room)

    async def say(self, announcement: Announcement) -> str:
        """See `onhook.line.Line.say`."""
        finding = asyncio.create_task(self._find(announcement))
        try:
            async with self._stage(announcement) as room:
                pcm, source = await finding
                call = functools.partial(picture.from_room, room)
                await announcer.speak(room, pcm, deadline=announcement.start_deadline, picture=call)
        finally:
            finding.cancel()
            await asyncio.gather(finding, return_exceptions=True)
        return f"{source}, {pcm.seconds:.1f} s"

    @contextlib.asynccontextmanager
    async def _stage(self, announcement: Announcement) -> AsyncIterator[rtc.Room]:
        """Give the room to speak in: the job's, with its own voice silenced, or one of ours."""
        if self._own is not None and _live(self._own):
            if not announcement.gentle:
                _silence(self._own)
            yield self._own
            return
        if not (await self.picture()).callers:
            raise OnhookError(f"no caller is in room {self._room!r} any more: nobody to speak to")
        deadline = announcement.start_deadline
        async with announcer.joined(self._credentials, self._room, deadline=deadline) as room:
            yield room

    async def _find(self, announcement: Announcement) -> tuple[Pcm, str]:
        """Find the best audio there is for an announcement; the last resort never fails."""
        if announcement.audio is not None:
            try:
                return await asyncio.to_thread(load_wav, announcement.audio), "given audio"
            except AudioError as error:
                logger.warning("falling back to other audio: %s", error)
        given = announcement.tts
        engine = given if given is not None and is_tts(given) else None
        speaking = engine or self._voice()
        name = engine_of(speaking) if speaking is not None else None
        cached = await self._renderings.find(announcement.text, name)
        if cached is not None:
            return cached, "cached rendering"
        if given is not None:
            try:
                pcm = await render(given, announcement.text, deadline=announcement.tts_deadline)
            except AudioError as error:
                logger.warning("falling back to the built-in prompt: %s", error)
            else:
                return pcm, "TTS"
        prompt = "one-moment" if announcement.gentle else "apology"
        return built_in_prompt(prompt), "built-in prompt"


def _live(room: rtc.Room) -> bool:
    """Return whether the room's connection is up, and not merely trying to come back."""
    return room.isconnected() and room.connection_state == rtc.ConnectionState.CONN_CONNECTED


def _silence(room: rtc.Room) -> None:
    """Stop the failed agent's own voice, so that the caller hears one voice only."""
    for publication in room.local_participant.track_publications.values():
        if isinstance(publication.track, rtc.LocalAudioTrack) and not publication.muted:
            publication.track.mute()

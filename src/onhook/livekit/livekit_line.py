"""A call's line on a real LiveKit server: the port through which rungs act."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from livekit import rtc

from onhook.call import Call, LegKind, LineState
from onhook.closing import Closing
from onhook.errors import ApiError, AudioError, OnhookError
from onhook.line import Announcement, Dispatch, Referral
from onhook.livekit import announcer, picture
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import WITHDRAWN, Credentials
from onhook.livekit.framework.room_internals import permissions_of, tells_permissions
from onhook.livekit.listening import first_heard
from onhook.livekit.pcm import Pcm, built_in_prompt, load_wav
from onhook.livekit.renderings import Renderings, Tts, engine_of, is_tts, render
from onhook.livekit.room_changes import Changes
from onhook.livekit.sip_transfer import refer
from onhook.livekit.start_deadline import StartDeadline
from onhook.rungs import APOLOGY, ONE_MOMENT, TIME_LIMIT
from onhook.tasks import end
from onhook.threads import in_thread

__all__ = ["LiveKitLine"]

logger = logging.getLogger("onhook")

_LOOK = 0.25
"""Seconds between looks at what no event tells of."""
_JOIN = 3.0
"""Seconds for joining a room to listen."""
_PROMPTS = {APOLOGY: "apology", ONE_MOMENT: "one-moment", TIME_LIMIT: "time-limit"}


class LiveKitLine(Closing):
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
        metadata: Metadata of the guarded job; the server is asked when omitted.
        again: Runs the entrypoint again, see `onhook.line.Line.retry`; `None` outside the job.
        asked: Called at each request to the server's API, where somebody counts them.
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
        metadata: str | None = None,
        again: Callable[[], Awaitable[str]] | None = None,
        asked: Callable[[], object] | None = None,
    ) -> None:
        self._credentials = credentials
        self._room = room
        self._own = own
        self._agent = agent
        self._job = job
        self._api = ServerApi(credentials, timeout=api_timeout, asked=asked)
        self._renderings = renderings or Renderings()
        self._voice = voice
        self._metadata = metadata
        self._again = again
        self._there_before: dict[str, frozenset[str]] = {}
        self._muted: list[rtc.LocalAudioTrack] = []

    async def aclose(self) -> None:
        """Close the connection to the server; safe to repeat."""
        await self._api.aclose()

    async def picture(self) -> Call:
        """See `onhook.line.Line.picture`."""
        mine = self._mine
        if mine is None:
            return await self._listed()
        if not tells_permissions():  # a dashboard that may not speak must not pass for company
            with contextlib.suppress(ApiError):
                return await self._listed()
        return picture.from_room(mine, job=self._job)

    async def check(self) -> None:
        """See `onhook.line.Line.check`."""
        await self._listed()

    @property
    def _mine(self) -> rtc.Room | None:
        """The job's own room, while it is connected."""
        return self._own if self._own is not None and _live(self._own) else None

    async def _listed(self) -> Call:
        """Picture the call as the server lists it, also where the job's own room is connected."""
        listing = await self._api.participants(self._room)
        return picture.from_listing(self._room, listing, agent=self._agent, job=self._job)

    async def remove(self, identity: str) -> None:
        """See `onhook.line.Line.remove`."""
        await self._api.remove(self._room, identity)

    async def delete_room(self) -> None:
        """See `onhook.line.Line.delete_room`."""
        await self._api.delete_room(self._room)

    async def left(self, identity: str) -> None:
        """See `onhook.line.Line.left`."""
        with Changes(self._mine) as changes:
            while any(
                leg.identity == identity and leg.line is not LineState.HANGUP
                for leg in (await self.picture()).legs
            ):
                await changes.wait(_LOOK)

    async def transfer(self, identity: str, referral: Referral) -> None:
        """See `onhook.line.Line.transfer`."""
        await refer(self._api, self._room, identity, referral)

    async def origin(self) -> str | None:
        """See `onhook.line.Line.origin`."""
        if self._metadata is not None:
            return self._metadata
        there = await self.dispatches()
        # livekit-server 1.13 lists no job for a dispatch that came with the room
        mine = [sent for sent in there if self._job and self._job in sent.jobs] or there
        return mine[0].metadata if len(mine) == 1 else None

    async def dispatches(self) -> Sequence[Dispatch]:
        """See `onhook.line.Line.dispatches`."""
        return await self._api.dispatches(self._room)

    async def dispatch(
        self,
        agent_name: str,
        metadata: str,
        attributes: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """See `onhook.line.Line.dispatch`.

        Args:
            agent_name: The name under which the agent's worker is registered.
            metadata: Metadata of the job.
            attributes: Attributes of the job.
        """
        gone = f"the caller has left room {self._room!r}: nobody to send {agent_name!r} to"
        before = await self._listed()
        if not before.callers:
            raise OnhookError(gone)
        with self._silenced():
            made = await self._api.create_dispatch(self._room, agent_name, metadata, attributes)
            self._there_before[made] = frozenset(leg.identity for leg in before.legs)
            call = await self._listed()
            if call.callers:
                return made
            await self._api.delete_dispatch(self._room, made)
        mine = self._mine
        known = {self._agent, mine.local_participant.identity if mine is not None else ""}
        if not any(leg.kind is not LegKind.AGENT or leg.identity in known for leg in call.legs):
            await self._api.delete_room(self._room)  # the dispatch has brought it back
        raise OnhookError(gone)

    async def heard(self, dispatch: str) -> str:
        """See `onhook.line.Line.heard`."""
        with self._silenced():
            return await self._first_heard(dispatch)

    @contextlib.contextmanager
    def _silenced(self) -> Iterator[None]:
        """Stop the failed agent's own voice while another one comes, and for good once it has."""
        mine = self._mine
        silenced = [] if mine is None else _silence(mine)
        self._muted += silenced
        try:
            yield
        except BaseException:
            for track in self._muted:
                track.unmute()
            self._muted = []
            raise

    async def _first_heard(self, dispatch: str) -> str:
        with Changes(self._mine) as changes:
            while not (agents := await self._agents(dispatch)):
                if not (await self.picture()).callers:
                    raise OnhookError(f"the caller has left room {self._room!r}")
                await changes.wait(_LOOK)
        if (mine := self._mine) is not None:
            return await first_heard(mine, agents)
        async with announcer.joined(
            self._credentials, self._room, limit=asyncio.timeout(_JOIN), listens=True
        ) as room:
            return await first_heard(room, agents)

    async def withdraw(self, dispatch: str) -> None:
        """See `onhook.line.Line.withdraw`."""
        agents = await self._agents(dispatch)
        for agent in agents:  # its own guard must not take its end for a caller left behind
            await self._api.mark(self._room, agent, WITHDRAWN, dispatch)
        await self._api.delete_dispatch(self._room, dispatch)
        for agent in agents:
            await self._api.remove(self._room, agent)
            await self.left(agent)

    async def _agents(self, dispatch: str) -> Sequence[str]:
        """Return who has come by a dispatch: whom the server lists, else who is new."""
        there = await self.dispatches()
        if listed := [agent for sent in there if sent.id == dispatch for agent in sent.agents]:
            return listed
        before = self._there_before.get(dispatch)
        agents = (await self.picture()).other_agents if before is not None else ()
        return [leg.identity for leg in agents if leg.identity not in (before or ())]

    async def retry(self) -> str:
        """See `onhook.line.Line.retry`."""
        if self._again is None:
            raise OnhookError("the entrypoint can be run again in its own job only, by its guard")
        return await self._again()

    async def say(self, announcement: Announcement) -> str:
        """See `onhook.line.Line.say`."""
        finding = asyncio.create_task(self._find(announcement))
        start = StartDeadline(announcement.start_deadline, self._listed)
        try:
            async with self._stage(announcement, start) as room:
                pcm, source = await finding
                call = functools.partial(picture.from_room, room)
                heard = announcement.heard
                await announcer.speak(room, pcm, limit=start.step(), picture=call, heard=heard)
        finally:
            await end(finding)
        return f"{source}, {pcm.seconds:.1f} s"

    @contextlib.asynccontextmanager
    async def _stage(
        self, announcement: Announcement, start: StartDeadline
    ) -> AsyncIterator[rtc.Room]:
        """Give the room to speak in: the job's, with its own voice silenced, or one of ours."""
        mine = self._mine
        if mine is not None and picture.may_publish(permissions_of(mine.local_participant)):
            if not announcement.gentle:
                _silence(mine)
            yield mine
            return
        if not (await self._seen(start)).callers:
            raise OnhookError(f"no caller is in room {self._room!r} any more: nobody to speak to")
        async with announcer.joined(self._credentials, self._room, limit=start.step()) as room:
            yield room

    async def _seen(self, start: StartDeadline) -> Call:
        """Ask who is there until there is an answer; a server that stands still may come back."""
        try:
            async with start.step():
                while True:
                    try:
                        return await self._listed()
                    except ApiError as error:
                        if error.code != "timeout":
                            raise
                        logger.info("asking again: %s", error)
        except TimeoutError as error:
            raise OnhookError(f"it cannot be seen who is in room {self._room!r}") from error

    async def _find(self, announcement: Announcement) -> tuple[Pcm, str]:
        """Find the best audio there is for an announcement; the last resort never fails."""
        if announcement.audio is not None:
            try:
                return await in_thread(load_wav, announcement.audio), "given audio"
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
        return built_in_prompt(_prompt_for(announcement)), "built-in prompt"


def _prompt_for(announcement: Announcement) -> str:
    """Name the built-in prompt of these very words, else the one that does least harm."""
    return _PROMPTS.get(announcement.text, "one-moment" if announcement.gentle else "apology")


def _live(room: rtc.Room) -> bool:
    """Return whether the room's connection is up, and not merely trying to come back."""
    return room.isconnected() and room.connection_state == rtc.ConnectionState.CONN_CONNECTED


def _silence(room: rtc.Room) -> list[rtc.LocalAudioTrack]:
    """Stop the failed agent's own voice, so that the caller hears one voice only."""
    silenced = []
    for publication in room.local_participant.track_publications.values():
        if isinstance(publication.track, rtc.LocalAudioTrack) and not publication.muted:
            publication.track.mute()
            silenced.append(publication.track)
    return silenced

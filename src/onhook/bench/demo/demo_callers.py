"""Who calls: a real SIP phone, or, where there is no SIP service, a SIP-kind participant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import numpy as np
from livekit import api, rtc

from onhook.bench.demo.demo_agent import AGENT
from onhook.bench.demo.demo_result import Heard
from onhook.bench.phone import Call, CallTimeoutError, Phone
from onhook.bench.phone.codec import RATE
from onhook.bench.phone.packet_timeline import Ear
from onhook.bench.stack import Stack
from onhook.errors import OnhookError

__all__ = ["Caller", "colleague", "phone_caller", "room_caller"]

_ANSWER = 30.0
_API = 10.0


class Caller(Protocol):
    """Somebody on the line."""

    room: str
    """The room of the call."""

    async def released(self, within: float) -> bool:
        """Wait until the line is released; hang up after `within` seconds and return `False`."""
        ...

    def heard(self, *, hung_up: bool) -> Heard:
        """Return what was heard."""
        ...


@asynccontextmanager
async def phone_caller(stack: Stack, number: str, mine: str) -> AsyncIterator[Caller]:
    """Dial a number on the SIP service and be answered.

    Args:
        stack: The servers.
        number: The number to dial.
        mine: Our number; the room's name holds it.
    """
    async with Phone(mine) as phone:
        call = await phone.dial(number, server=stack.sip_address)
        await call.answered(_ANSWER)
        yield _PhoneCaller(call, await _room_of(stack, mine))


class _PhoneCaller:
    def __init__(self, call: Call, room: str) -> None:
        self.room = room
        self._call = call

    async def released(self, within: float) -> bool:
        try:
            await self._call.ended(within)
        except CallTimeoutError:
            await self._call.hang_up()
            return False
        return True

    def heard(self, *, hung_up: bool) -> Heard:
        report = self._call.report()
        begin = report.hearing.begin
        answered, ended = report.answered_at or begin, report.ended_at or report.hearing.end
        return Heard(
            report.invited_at, answered, ended, hung_up, report.hearing, self._call.audio()
        )


@asynccontextmanager
async def room_caller(stack: Stack, room: str, metadata: str) -> AsyncIterator[Caller]:
    """Join a room as the SIP service would, and have the agent dispatched there.

    Args:
        stack: The servers.
        room: The room's name.
        metadata: Metadata of the agent's job.
    """
    mine = _RoomCaller(room)
    attributes = {"sip.callID": f"SCL_{room}", "sip.callStatus": "active", "sip.ruleID": "SDR_demo"}
    token = _token(stack, room, "sip_+15550123", kind="sip").with_attributes(attributes).to_jwt()
    async with _connected(stack, mine.line, token):
        async with _server(stack) as server, asyncio.timeout(_API):
            await server.agent_dispatch.create_dispatch(
                api.CreateAgentDispatchRequest(agent_name=AGENT, room=room, metadata=metadata)
            )
        try:
            async with asyncio.timeout(_ANSWER):
                await mine.answered.wait()
            yield mine
        finally:
            await mine.close()


class _RoomCaller:
    def __init__(self, room: str) -> None:
        self.room = room
        self.line = rtc.Room()
        self.answered = asyncio.Event()
        self._gone = asyncio.Event()
        self._ear = Ear()
        self._dialled_at = time.monotonic()
        self._answered_at = self._ended_at = 0.0
        self._listening: set[asyncio.Task[None]] = set()
        self.line.on("track_subscribed", self._subscribed)
        self.line.on("disconnected", self._disconnected)

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if track.kind != rtc.TrackKind.KIND_AUDIO:
            return
        if not self.answered.is_set():  # livekit-sip answers at the first audio track
            self._answered_at = time.monotonic()
            self.answered.set()
        self._listening.add(asyncio.create_task(self._listen(track), name="demo-listen"))

    def _disconnected(self, *_: object) -> None:
        self._ended_at = self._ended_at or time.monotonic()
        self._gone.set()

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=20)
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16)
                if samples.any():
                    self._ear.push(time.monotonic(), samples)
        finally:
            await stream.aclose()

    async def released(self, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                await self._gone.wait()
        except TimeoutError:
            self._ended_at = time.monotonic()
            return False
        return True

    def heard(self, *, hung_up: bool) -> Heard:
        begin, end = self._answered_at, self._ended_at
        hearing, audio = self._ear.hearing(begin, end), self._ear.audio(begin, end)
        return Heard(self._dialled_at, begin, end, hung_up, hearing, audio)

    async def close(self) -> None:
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)


@asynccontextmanager
async def colleague(stack: Stack, room: str) -> AsyncIterator[rtc.Room]:
    """Join a call as a person who is not on a phone."""
    person = rtc.Room()
    async with _connected(stack, person, _token(stack, room, "colleague").to_jwt()):
        yield person


@asynccontextmanager
async def _connected(stack: Stack, room: rtc.Room, token: str) -> AsyncIterator[None]:
    async with asyncio.timeout(_API):
        await room.connect(stack.url, token)
    try:
        yield
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_API):
                await room.disconnect()


async def _room_of(stack: Stack, number: str) -> str:
    async with _server(stack) as server, asyncio.timeout(_API):
        listing = await server.room.list_rooms(api.ListRoomsRequest())
    for room in listing.rooms:
        if number in room.name:
            return room.name
    raise OnhookError(f"the server has no room for the call from {number}")


def _server(stack: Stack) -> api.LiveKitAPI:
    env = stack.env
    return api.LiveKitAPI(env["LIVEKIT_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])


def _token(stack: Stack, room: str, identity: str, *, kind: str = "standard") -> api.AccessToken:
    env = stack.env
    return (
        api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
        .with_identity(identity)
        .with_kind(kind)  # type: ignore[arg-type]
        .with_grants(api.VideoGrants(room_join=True, room=room))
    )

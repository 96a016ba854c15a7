"""LiveKit's API over HTTP on loopback, for the rooms of `ServerRooms`; refuses what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import jwt
from aiohttp import web
from google.protobuf.message import Message
from livekit import api
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    CreateAgentDispatchRequest,
    ListAgentDispatchRequest,
    ListAgentDispatchResponse,
)
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import (
    DeleteRoomRequest,
    ListParticipantsRequest,
    ListParticipantsResponse,
    PerformRpcRequest,
    RoomParticipantIdentity,
)

from onhook.livekit import Credentials
from tests.sentinel.load.server_rooms import ServerRooms

__all__ = ["ApiStandIn", "RefusalError"]

KEY, SECRET = "APIstandin", "the-secret-of-a-stand-in-for-a-server"
NOBODY = 3.0
"""Seconds after which a server says that nobody is there to answer (livekit-protocol `psrpc`)."""
ACKNOWLEDGED = 2.0
"""Seconds after which a destination that has acknowledged nothing is given up."""


class RefusalError(Exception):
    """What is answered instead."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class ApiStandIn:
    """Answers the requests that a sentinel sends. An async context manager.

    Args:
        rooms: What there is.
        latency: Seconds that each answer takes at least.
    """

    def __init__(self, rooms: ServerRooms, *, latency: float = 0.0) -> None:
        self.rooms = rooms
        self.latency = latency
        self.dead: set[str] = set()
        """Identities of agents whose process is gone, which are listed all the same."""
        self.dispatches: dict[str, list[AgentDispatch]] = {}
        self.asked: Counter[str] = Counter()
        """Requests that were answered, by their method."""
        self.refused: Counter[str] = Counter()
        self.first_at: float | None = None
        """When the first request came, in seconds of the monotonic clock."""
        self.failing: RefusalError | None = None
        """What is answered to every request, while it is set."""
        self.port = 0
        self._verifier = api.TokenVerifier(KEY, SECRET)
        self._methods: dict[str, Callable[[bytes, api.VideoGrants], object]] = {
            "RoomService/ListRooms": self._list_rooms,
            "RoomService/ListParticipants": self._list_participants,
            "RoomService/RemoveParticipant": self._remove,
            "RoomService/DeleteRoom": self._delete,
            "RoomService/PerformRpc": self._perform_rpc,
            "AgentDispatchService/ListDispatch": self._list_dispatch,
            "AgentDispatchService/CreateDispatch": self._create_dispatch,
        }
        self._stop = contextlib.AsyncExitStack()

    @property
    def credentials(self) -> Credentials:
        """Where it is, and its key."""
        return Credentials(f"http://127.0.0.1:{self.port}", KEY, SECRET)

    async def __aenter__(self) -> ApiStandIn:
        app = web.Application()
        app.router.add_post("/twirp/livekit.{service}/{method}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._stop.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop.aclose()

    async def _handle(self, request: web.Request) -> web.Response:
        method = f"{request.match_info['service']}/{request.match_info['method']}"
        name = request.match_info["method"]
        if self.first_at is None:
            self.first_at = time.monotonic()
        try:
            grants = self._granted(request.headers.get("Authorization", ""))
            answer = self._methods.get(method)
            if answer is None:
                raise RefusalError(404, "bad_route", f"no such method: {method}")
            if self.failing is not None:
                raise self.failing
            if self.latency:
                await asyncio.sleep(self.latency)
            found = answer(await request.read(), grants)
            if asyncio.iscoroutine(found):
                found = await found
        except RefusalError as refusal:
            self.refused[name] += 1
            body = {"code": refusal.code, "msg": refusal.message}
            return web.json_response(body, status=refusal.status)
        self.asked[name] += 1
        told = found if isinstance(found, bytes) else b""
        told = found.SerializeToString() if isinstance(found, Message) else told
        return web.Response(body=told, content_type="application/protobuf")

    def _granted(self, header: str) -> api.VideoGrants:
        try:
            claims = self._verifier.verify(header.removeprefix("Bearer "))
        except jwt.PyJWTError as error:
            raise RefusalError(401, "unauthenticated", "invalid token") from error
        return claims.video or api.VideoGrants()

    def _list_rooms(self, _: bytes, grants: api.VideoGrants) -> bytes:
        _require(bool(grants.room_list))
        return self.rooms.listed()

    def _list_participants(self, body: bytes, grants: api.VideoGrants) -> Message:
        room = ListParticipantsRequest.FromString(body).room
        _require_admin(grants, room)
        return ListParticipantsResponse(participants=self.rooms.people(room))

    def _remove(self, body: bytes, grants: api.VideoGrants) -> None:
        who = RoomParticipantIdentity.FromString(body)
        _require_admin(grants, who.room)
        self._there(who.room, who.identity)
        self.rooms.leave(who.room, who.identity, "PARTICIPANT_REMOVED")

    def _delete(self, body: bytes, grants: api.VideoGrants) -> None:
        _require(bool(grants.room_create))
        room = DeleteRoomRequest.FromString(body).room
        if room not in self.rooms:
            raise RefusalError(404, "not_found", "requested room does not exist")
        self.rooms.close(room)

    async def _perform_rpc(self, body: bytes, grants: api.VideoGrants) -> None:
        asked = PerformRpcRequest.FromString(body)
        _require_admin(grants, asked.room)
        try:
            self._there(asked.room, asked.destination_identity)
        except RefusalError:
            await asyncio.sleep(NOBODY)
            raise RefusalError(503, "unavailable", "no response from servers") from None
        if asked.destination_identity in self.dead:
            await asyncio.sleep(ACKNOWLEDGED)
            raise RefusalError(408, "deadline_exceeded", "RpcError 1501: Connection timeout")
        raise RefusalError(400, "malformed", "RpcError 1400: Method not supported at destination")

    async def _list_dispatch(self, body: bytes, grants: api.VideoGrants) -> Message:
        room = ListAgentDispatchRequest.FromString(body).room
        _require_admin(grants, room)
        if room not in self.rooms:
            await asyncio.sleep(NOBODY)
            raise RefusalError(503, "unavailable", "no response from servers")
        return ListAgentDispatchResponse(agent_dispatches=self.dispatches.get(room, ()))

    def _create_dispatch(self, body: bytes, grants: api.VideoGrants) -> Message:
        asked = CreateAgentDispatchRequest.FromString(body)
        _require_admin(grants, asked.room)
        sent = AgentDispatch(id="AD_1", agent_name=asked.agent_name, room=asked.room)
        self.dispatches.setdefault(asked.room, []).append(sent)
        return sent

    def _there(self, room: str, identity: str) -> ParticipantInfo:
        found = next((p for p in self.rooms.people(room) if p.identity == identity), None)
        if found is None:
            raise RefusalError(404, "not_found", "participant does not exist")
        return found


def _require(granted: bool) -> None:
    if not granted:
        raise RefusalError(401, "unauthenticated", "permissions denied")


def _require_admin(grants: api.VideoGrants, room: str) -> None:
    _require(bool(grants.room_admin) and grants.room == room)


@contextlib.asynccontextmanager
async def stand_in(rooms: ServerRooms, *, latency: float = 0.0) -> AsyncIterator[ApiStandIn]:
    """Serve rooms until the context is left."""
    async with ApiStandIn(rooms, latency=latency) as server:
        yield server

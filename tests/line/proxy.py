"""A proxy before the real server that spoils one method of its API as told, or is slow in all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.http_server import http_server

PASS = 200
HANG = 0
"""Say nothing, and keep the connection."""

_CODES = {401: "unauthenticated", 500: "internal", 503: "unavailable"}


@dataclass
class Proxy:
    """Each request to `method` meets the next status of the script; the last one repeats."""

    target: str
    method: str
    script: list[int]
    delay: float = 0.0
    """Seconds that every request takes, and every connection of somebody who joins a room."""
    url: str = ""
    seen: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delay)
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._join(request)
        status = PASS
        if self.method in (request.path.rsplit("/", 1)[-1], "*"):
            status = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            self.seen.append(status)
        if status == HANG:
            await asyncio.Event().wait()
        if status != PASS:
            return web.json_response({"code": _CODES[status], "msg": "spoilt"}, status=status)
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                self.target + request.path_qs,
                data=await request.read(),
                headers=headers,
            ) as answer,
        ):
            body, kind = await answer.read(), answer.content_type
            return web.Response(body=body, status=answer.status, content_type=kind)

    async def _join(self, request: web.Request) -> web.StreamResponse:
        """Pass the messages of a room's connection both ways."""
        ours = web.WebSocketResponse()
        headers = {k: v for k, v in request.headers.items() if k.lower() == "authorization"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self.target + request.path_qs, headers=headers) as theirs,
        ):
            await ours.prepare(request)
            await asyncio.gather(_pump(ours, theirs), _pump(theirs, ours))
        return ours


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
    await sink.close()


@contextlib.asynccontextmanager
async def proxy(
    target: str, method: str, script: Sequence[int], *, delay: float = 0.0
) -> AsyncIterator[Proxy]:
    """Stand before `target` (`http://HOST:PORT`) until the context is left."""
    standing = Proxy(target, method, list(script), delay)
    async with http_server(web.route("*", "/{path:.*}", standing.handle)) as standing.url:
        yield standing

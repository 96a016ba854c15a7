"""A Twirp server on loopback that answers as scripted: the failures a real server won't give."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web
from google.protobuf.message import Message

from onhook.livekit import Credentials
from tests.http_server import http_server

SECRET = "a-secret-of-at-least-thirty-two-characters"

Answer = Callable[[], Awaitable[web.Response]]


async def ok() -> web.Response:
    return web.Response(body=b"", content_type="application/protobuf")


def error(status: int, code: str, **meta: str) -> Answer:
    async def answer() -> web.Response:
        body = {"code": code, "msg": f"scripted {code}", "meta": meta}
        return web.json_response(body, status=status)

    return answer


def says(message: Message) -> Answer:
    async def answer() -> web.Response:
        return web.Response(body=message.SerializeToString(), content_type="application/protobuf")

    return answer


async def hang() -> web.Response:
    await asyncio.Event().wait()
    return await ok()


@dataclass
class Twirp:
    """The last answer of a method's script repeats for ever."""

    scripts: dict[str, list[Answer]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def credentials(self) -> Credentials:
        return Credentials(f"http://127.0.0.1:{self.port}", "key", SECRET)

    async def handle(self, request: web.Request) -> web.Response:
        method = request.path.rsplit("/", 1)[-1]
        self.calls.append(method)
        self.bodies.append(await request.read())
        script = self.scripts.get(method, [ok])
        answer = script.pop(0) if len(script) > 1 else script[0]
        return await answer()


@contextlib.asynccontextmanager
async def twirp(**scripts: list[Answer]) -> AsyncIterator[Twirp]:
    server = Twirp(dict(scripts))
    async with http_server(web.post("/{path:.*}", server.handle)) as url:
        server.port = int(url.rpartition(":")[2])
        yield server

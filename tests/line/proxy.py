"""A proxy before the real server's API that spoils one method as told, and counts its answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

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
    url: str = ""
    seen: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
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
            session.post(
                self.target + request.path, data=await request.read(), headers=headers
            ) as answer,
        ):
            body, kind = await answer.read(), answer.content_type
            return web.Response(body=body, status=answer.status, content_type=kind)


@contextlib.asynccontextmanager
async def proxy(target: str, method: str, script: Sequence[int]) -> AsyncIterator[Proxy]:
    """Stand before `target` (`http://HOST:PORT`) until the context is left."""
    standing = Proxy(target, method, list(script))
    app = web.Application()
    app.router.add_post("/{path:.*}", standing.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    standing.url = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        yield standing
    finally:
        await runner.cleanup()

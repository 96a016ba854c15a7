"""A small HTTP server of a test's own, on a free port of loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

__all__ = ["http_server"]


@contextlib.asynccontextmanager
async def http_server(*routes: web.RouteDef) -> AsyncIterator[str]:
    """Serve until the context is left; yield the server's address, without a path."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()

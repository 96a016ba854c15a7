"""HTTP between the parts of a sentinel and what is around them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from onhook.livekit import ServerApi
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.serving import serve
from onhook.tasks import end
from tests.sentinel.load.api_stand_in import ApiStandIn
from tests.sentinel.load.http_connection import HttpConnection
from tests.sentinel.load.parts_loop import PartsLoop
from tests.sentinel.load.webhook_post import Letter

__all__ = ["heard", "wired"]


@contextlib.asynccontextmanager
async def heard(loop: PartsLoop) -> AsyncIterator[tuple[Counter[int], Receiver]]:
    """Deliver webhooks and leases over HTTP; yields the answers by status, and the receiver."""
    answers: Counter[int] = Counter()
    receiver = Receiver(loop.webhooks, loop.leases, loop.take)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(receiver.app, "127.0.0.1", 0, started=port.set_result))
    async with HttpConnection(await port) as connection:

        async def deliver(path: str, letter: Letter) -> None:
            token = f"Bearer {letter.token}" if path == "/lease" else letter.token
            answers[await connection.post(path, letter.body, token)] += 1

        loop.deliver = deliver
        try:
            yield answers, receiver
        finally:
            await end(serving)


@contextlib.asynccontextmanager
async def wired(loop: PartsLoop) -> AsyncIterator[tuple[Counter[int], Receiver]]:
    """Do the same, and ask a stand-in with the real client."""
    async with (
        ApiStandIn(loop.rooms) as server,
        ServerApi(server.credentials, timeout=5) as api,
        heard(loop) as seen,
    ):
        loop.listings = api
        yield seen

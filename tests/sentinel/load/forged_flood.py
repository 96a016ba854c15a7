"""Thousands of forged webhooks over HTTP: refused, counted, logged once, and nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from onhook.sentinel.calls import CallTable
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.serving import serve
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from onhook.tasks import end
from tests.sentinel.load.api_stand_in import KEY, SECRET
from tests.sentinel.load.http_connection import HttpConnection, request
from tests.sentinel.load.server_rooms import ServerRooms
from tests.sentinel.load.webhook_post import Letter, WebhookPost, signed

FORGERS, GENUINE = 8, 100
__all__ = ["FORGERS", "GENUINE", "Flood", "flood"]

OTHER_SECRET = "a-secret-that-is-of-another-server-x"


def letters(calls: int) -> list[Letter]:
    """Write the webhooks of some calls."""
    rooms, post = ServerRooms(), WebhookPost(KEY, SECRET)
    rooms.told = post.take
    for number in range(calls):
        rooms.caller(f"call-{number}", answered=True, number=number)
    return post.due()


@contextlib.asynccontextmanager
async def receiving(table: CallTable) -> AsyncIterator[tuple[Receiver, int]]:
    keys = SignedBodies({KEY: SECRET})
    receiver = Receiver(Webhooks(keys), Leases(keys), lambda s: table.take(s, time.monotonic()))
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(receiver.app, "127.0.0.1", 0, started=port.set_result))
    try:
        yield receiver, await port
    finally:
        await end(task)


async def taken(port: int, genuine: Sequence[Letter]) -> float:
    """Post some genuine ones; return the median seconds that each took."""
    times = []
    async with HttpConnection(port) as connection:
        for letter in genuine:
            began = time.perf_counter()
            assert await connection.post("/webhook", letter.body, letter.token) == 200
            times.append(time.perf_counter() - began)
    return statistics.median(times)


async def forge(port: int, whole: bytes, count: int) -> None:
    """Send the same forged request again and again: without our key, each costs its sender one."""
    async with HttpConnection(port) as connection:
        for _ in range(count):
            assert await connection.send(whole) == 401


@dataclass(frozen=True)
class Flood:
    """What became of a flood.

    Args:
        alone: Median seconds that a genuine webhook took before it.
        beside: The same in its midst.
        receiver: Took them.
        calls: How many were told of.
        token: Of the forged ones.
    """

    alone: float
    beside: float
    receiver: Receiver
    calls: int
    token: str


async def flood(forged: int) -> Flood:
    """Send so many forged webhooks from all sides, and genuine ones in their midst."""
    table, written = CallTable(), letters(2 * GENUINE)
    half, body = len(written) // 2, written[0].body
    forgery = signed(body, KEY, OTHER_SECRET, time.time())
    whole = request("/webhook", body, forgery.token)
    async with receiving(table) as (receiver, port):
        alone = await taken(port, written[:half])
        each = forged // FORGERS
        forgers = [asyncio.create_task(forge(port, whole, each)) for _ in range(FORGERS)]
        beside = await taken(port, written[half:])
        await asyncio.gather(*forgers)
    return Flood(alone, beside, receiver, len(table), forgery.token)

"""Waits for a webhook: at a running sentinel, else where one would listen."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, MutableSequence, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from livekit import api

from onhook.doctor.findings import Finding, Unchecked
from onhook.doctor.sentinel import sentinel_status
from onhook.doctor.webhooks import WebhookCounts, judge_webhooks, listening, told_by_sentinel
from onhook.errors import ApiError, ConfigurationError
from onhook.livekit import Credentials, ServerApi
from onhook.takeover import CANARY_ROOM

if TYPE_CHECKING:
    from onhook.doctor.examination import Order

__all__ = ["check_webhooks"]

_LOOK = 0.25
_EMPTY = 15
"""Seconds after which the server itself deletes the room."""


async def check_webhooks(
    order: Order,
    credentials: Credentials,
    sentinel: str,
    unchecked: MutableSequence[Unchecked],
) -> Sequence[Finding]:
    """Make a room, of which the server tells its receivers, and look whether that arrives.

    Args:
        order: What is to be looked at.
        credentials: Server and key.
        sentinel: The sentinel's address, where the environment names one.
        unchecked: Takes what could not be looked at.
    """
    seconds = order.wait_webhook
    if not seconds:
        unchecked.append(
            Unchecked("whether webhooks arrive", "--wait-webhook 10 makes a room, and waits for it")
        )
        return ()
    host, port = order.webhook
    address = sentinel or f"http://{f'[{host}]' if ':' in host else host}:{port}"
    before, wrong = await sentinel_status(address, timeout=order.timeout)
    if not wrong:

        async def told() -> WebhookCounts:
            return await told_by_sentinel(address, before, timeout=order.timeout)

        counts = await _awaited(order, credentials, told, seconds)
        return list(judge_webhooks(f"the sentinel at {address}", counts, seconds))
    if find_spec("uvicorn") is None or not credentials.key:
        why = "pip install 'onhook[sentinel]'" if credentials.key else "a token believes nobody"
        unchecked.append(Unchecked("whether webhooks arrive", why))
        return ()
    try:
        async with listening(credentials, host, port) as heard:

            async def here() -> WebhookCounts:
                return heard

            counts = await _awaited(order, credentials, here, seconds)
    except ConfigurationError as error:  # the port is taken, for example
        unchecked.append(Unchecked("whether webhooks arrive", str(error)))
        return ()
    return list(judge_webhooks(f"http://{host}:{port}/webhook", counts, seconds))


async def _awaited(
    order: Order,
    credentials: Credentials,
    counts: Callable[[], Awaitable[WebhookCounts]],
    seconds: float,
) -> WebhookCounts:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    async with _room(credentials, order.timeout):
        while True:
            now = await counts()
            if now.taken or loop.time() >= until:
                return now
            await asyncio.sleep(min(_LOOK, max(0.0, until - loop.time())))


@contextlib.asynccontextmanager
async def _room(credentials: Credentials, timeout: float) -> AsyncIterator[None]:
    """Have a room; it is deleted whatever happens."""
    name = f"{CANARY_ROOM}{secrets.token_hex(6)}"
    request = api.CreateRoomRequest(name=name, empty_timeout=_EMPTY, departure_timeout=1)
    async with ServerApi(credentials, timeout=timeout) as server:
        with contextlib.suppress(ApiError):  # the grant has its finding; calls make webhooks too
            await server.request("make", name, "roomCreate", lambda c: c.room.create_room(request))
        try:
            yield
        finally:
            with contextlib.suppress(ApiError):  # it ends by itself
                await server.delete_room(name)

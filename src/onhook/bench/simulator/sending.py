"""Sending a response, or as much of it as its fault allows."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from onhook.bench.simulator import bodies
from onhook.bench.simulator.bodies import Body
from onhook.bench.simulator.provider_faults import Kind, ProviderFault
from onhook.bench.simulator.script import Ask

__all__ = ["send"]


async def send(
    request: web.Request, ask: Ask, fault: ProviderFault | None, body: Body
) -> web.StreamResponse:
    """Send a body, late, partly or not at all where its fault says so."""
    status = 200
    if fault is not None and fault.kind is Kind.STATUS:
        status, body = fault.status, bodies.error(fault.status)
    if fault is not None and fault.kind is Kind.SLOW:
        await asyncio.sleep(fault.seconds)
    response = web.StreamResponse(status=status)
    response.content_type = body.content_type
    response.headers["x-request-id"] = ask.id
    await response.prepare(request)
    async with _cut(request, fault) as left:
        for place, chunk in enumerate(body.chunks):
            part = chunk if left is None else chunk[: left.of(chunk, place)]
            if part:
                await response.write(part)
            if body.pace and place < len(body.chunks) - 1:
                await asyncio.sleep(body.pace)
    if left is None:
        await response.write_eof()
    return response


class _Left:
    """How much of a body is still sent."""

    def __init__(self, fault: ProviderFault) -> None:
        self._chunks = fault.chunks
        self._bytes = fault.bytes

    def of(self, chunk: bytes, place: int) -> int:
        if self._bytes is None:
            return len(chunk) if place < self._chunks else 0
        part = min(len(chunk), self._bytes)
        self._bytes -= part
        return part


@asynccontextmanager
async def _cut(request: web.Request, fault: ProviderFault | None) -> AsyncIterator[_Left | None]:
    """After a part of the body, stall until the client goes, or reset the connection."""
    if fault is None or fault.kind not in (Kind.STALL, Kind.RESET):
        yield None
        return
    yield _Left(fault)
    if fault.kind is Kind.STALL:
        await asyncio.Event().wait()  # the handler is cancelled when the client goes
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        # a linger of 0 s makes close() send RST in place of FIN (socket(7))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

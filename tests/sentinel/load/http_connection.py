"""A connection that posts bodies and reads statuses: cheap, so that the receiver is measured."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

__all__ = ["HttpConnection", "request"]

_DEADLINE = 10.0


def request(path: str, body: bytes, token: str) -> bytes:
    """Return a request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n"
        f"Content-Type: application/webhook+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class HttpConnection:
    """One connection to loopback, opened anew where it was closed. An async context manager.

    Args:
        port: TCP port.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    async def post(self, path: str, body: bytes, token: str) -> int:
        """Post a body; return the status of the answer, or 0 where none came."""
        return await self.send(request(path, body, token))

    async def send(self, whole: bytes) -> int:
        """Send a request as it is; return the status of its answer, or 0 where none came."""
        try:
            async with asyncio.timeout(_DEADLINE):
                if self._open is None:
                    self._open = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._open
                writer.write(whole)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                rest = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                await reader.readexactly(rest)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self._close()
            return 0
        if b"connection: close" in head:
            self._close()
        return int(head.split(b" ", 2)[1])

    def _close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

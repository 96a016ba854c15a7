"""Serves an ASGI application with uvicorn, inside a loop and process that are somebody else's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from onhook import tasks
from onhook.errors import ConfigurationError

__all__ = ["serve"]

_BACKLOG = 512
_MOST_AT_ONCE = 512
"""Connections and requests; what is more is answered 503, which livekit-server tries again."""
_IDLE = 120
"""Seconds for which an unused connection is kept: longer than livekit-server's 90 (go-cleanhttp,
`IdleConnTimeout`), else a webhook may be sent into a connection that is just being closed."""
_GRACE = 2
"""Seconds for the requests that are under way when it ends."""


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    started: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve until cancelled; requests under way are answered, for two seconds at most.

    Args:
        app: The application.
        host: Address of this machine.
        port: TCP port; 0 for one that is free.
        started: Is told the port as soon as requests are taken.

    Raises:
        ConfigurationError: Nobody can listen there, for example because somebody does.
    """
    listener = _listen(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            backlog=_BACKLOG,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="onhook-receiver")
    try:
        started(listener.getsockname()[1])
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        try:
            # uvicorn looks ten times a second whether it is to end, and then waits for `_GRACE`
            await asyncio.wait((serving,), timeout=_GRACE + 1)
        finally:
            await tasks.end(serving)
            listener.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signals to whoever runs this."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    """Open the port here: uvicorn would end the process where that fails."""
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            + (
                "Is another sentinel running? End it, or listen on another port"
                if taken
                else "Give an address of this machine, and a port that this user may open"
            )
        ) from error

"""The socket: who may speak, for how long, and what becomes of nonsense."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.liveness import TICK
from onhook.watchdog.daemon.watched_job import Job
from onhook.watchdog.protocol.frames import LIMIT, Frames, ProtocolError, decode, encode
from onhook.watchdog.protocol.messages import TEXT, Answer, Ask, Hello, Message, Welcome
from onhook.watchdog.protocol.peer import Peer, peer_of

__all__ = ["Server", "bind"]

logger = logging.getLogger("onhook")

_INTRODUCTION = 2.0
"""Seconds for the first whole message of a connection."""
_WHOLE = 2.0
"""Seconds for the rest of a message once its first byte is there."""
_CONNECTIONS = 1000
_UNREAD = 256 * 1024
"""Bytes of answers that a peer may leave unread."""


def bind(path: Path) -> socket.socket:
    """Listen at a path, in the place of whoever listened there before.

    Args:
        path: In a folder that is this user's alone.

    Raises:
        OSError: It cannot be bound.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(part))
        part.chmod(0o600)
        listening.listen(256)
        listening.setblocking(False)
        part.replace(path)
    except OSError:
        listening.close()
        part.unlink(missing_ok=True)
        raise
    return listening


class Server:
    """Speaks the protocol with jobs and with commands.

    Args:
        job_table: Is told of every job.
        command: Answers a command; may raise nothing.
        unable: Returns why no call could be rescued; empty where they can.
        clock: Seconds of a monotonic clock.
        uid: The only user who may connect; ours when omitted.
        limit: How many connections there may be at once.
    """

    def __init__(
        self,
        job_table: JobTable,
        *,
        command: Callable[[str], Mapping[str, Any]],
        unable: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
        uid: int | None = None,
        limit: int = _CONNECTIONS,
    ) -> None:
        self.job_table = job_table
        self.command = command
        self.unable = unable
        self.clock = clock
        self.uid = os.getuid() if uid is None else uid
        self.limit = limit
        self.buffer = memoryview(bytearray(LIMIT))
        """One for all: a connection's bytes are taken out of it before the next one's arrive."""
        self.connections: set[Connection] = set()
        self._listening: asyncio.Server | None = None

    async def serve(self, listening: socket.socket) -> None:
        """Begin to accept connections on a socket that listens."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_unix_server(lambda: Connection(self), sock=listening)

    async def tend(self) -> None:
        """End connections that take too long to say what they want, for ever."""
        while True:
            await asyncio.sleep(TICK)
            now = self.clock()
            for connection in [c for c in self.connections if c.overdue(now)]:
                connection.drop("it did not finish its message in time")

    def welcome(self) -> None:
        """Tell every job anew whether its call can be rescued."""
        for connection in [c for c in self.connections if c.job is not None]:
            connection.welcome()

    def stop_listening(self) -> None:
        """Take no more jobs on; those that are connected stay. Safe to repeat."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    def close(self) -> None:
        """Stop listening and end every connection; safe to repeat."""
        self.stop_listening()
        for connection in tuple(self.connections):
            connection.close()


class Connection(asyncio.BufferedProtocol):
    """One connection. A buffered protocol: a hundred jobs beat twice a second for next to nothing.

    Args:
        server: Whose connection it is.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._peer = Peer(-1, 0)
        self._due: float | None = server.clock() + _INTRODUCTION
        self.job: Job | None = None
        """The job, once it has introduced itself."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let this user in, and nobody else."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket's
        self._transport = transport
        server = self._server
        try:
            self._peer = peer_of(transport.get_extra_info("socket"))
        except OSError as error:
            self.drop(f"the kernel does not say who it is: {error}")
            return
        if self._peer.uid != server.uid:
            self.drop(f"it is user {self._peer.uid}, and only user {server.uid} may connect")
        elif len(server.connections) >= server.limit:
            self.drop(f"there are {server.limit} connections already")
        else:
            server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Somebody has left; a job that did not say goodbye is looked after."""
        self._server.connections.discard(self)
        if self.job is not None:
            self._server.job_table.left(self.job)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        return self._server.buffer

    def buffer_updated(self, count: int) -> None:
        """Take in what has arrived."""
        if self not in self._server.connections:
            return
        try:
            for body in self._frames.feed(self._server.buffer[:count]):
                self._take(body)
        except ProtocolError as error:
            self.drop(str(error))
            return
        if self._frames.begun:
            self._due = self._due or self._server.clock() + _WHOLE
        elif self.job is not None:
            self._due = None

    def overdue(self, now: float) -> bool:
        """Return whether it should have finished a message by now."""
        return self._due is not None and now > self._due

    def send(self, message: Message) -> None:
        """Send a message; a peer that does not read is let go."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(encode(message))
        if self._transport.get_write_buffer_size() > _UNREAD:
            self.drop("it does not read its answers")

    def welcome(self) -> None:
        """Say whether the job's call can be rescued."""
        self.send(Welcome(os.getpid(), self._server.unable()[:TEXT]))

    def drop(self, why: str) -> None:
        """End a connection that misbehaves, with one line in the log."""
        logger.warning("a connection of process %s was dropped: %s", self._peer.pid or "?", why)
        self._server.connections.discard(self)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End it in order."""
        self._server.connections.discard(self)
        if self._transport is not None:
            self._transport.close()

    def _take(self, body: bytes) -> None:
        server, job = self._server, self.job
        if not body:
            if job is None:
                raise ProtocolError("a beat before an introduction")
            server.job_table.beat(job)
            return
        message = decode(body)
        match message:
            case Ask() if job is None:
                self._due = server.clock() + _WHOLE
                self.send(Answer(json.dumps(server.command(message.what))))
            case Hello() if job is None:
                self.welcome()
                self.job = server.job_table.joined(message, self._peer.pid)
            case Hello() | Ask() | Answer() | Welcome():
                raise ProtocolError(f"{type(message).__name__.lower()} out of place")
            case _ if job is None:
                raise ProtocolError("a report before an introduction")
            case _:
                server.job_table.told(job, message)

"""The job's end of one socket to a watchdog: frames go whole or not at all, and nothing waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from onhook.watchdog.protocol.frames import PULSE, Frames, ProtocolError, decode
from onhook.watchdog.protocol.messages import Message

__all__ = ["Wire"]


class Wire:
    """One open socket.

    Args:
        mine: The socket, connected and not blocking.
        take: Is given every message of the watchdog.
        lost: Is told once that the socket has ended without being closed here, and why where the
            watchdog was not understood.
    """

    def __init__(
        self,
        mine: socket.socket,
        take: Callable[[Message], None],
        lost: Callable[[Wire, str], None],
    ) -> None:
        self._socket = mine
        self._take = take
        self._lost = lost
        self._frames = Frames()
        asyncio.get_running_loop().add_reader(mine, self._read)

    @classmethod
    def to(
        cls, path: Path, take: Callable[[Message], None], lost: Callable[[Wire, str], None]
    ) -> Wire | None:
        """Connect at once: a Unix socket does not wait. `None` where nobody listens."""
        mine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mine.setblocking(False)
        try:
            mine.connect(str(path))
        except OSError:
            mine.close()
            return None
        return cls(mine, take, lost)

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._socket.fileno() < 0

    def push(self, frame: bytes) -> None:
        """Hand a frame to the kernel; a wire that cannot take the whole of it is lost."""
        if self.closed:
            return
        try:
            sent = self._socket.send(frame)
        except BlockingIOError:  # the watchdog does not read: a beat less, it will find out
            sent = 0 if frame is not PULSE else len(frame)
        except OSError:
            sent = 0
        if sent < len(frame):
            self._end("")

    def close(self) -> None:
        """End it; safe to repeat."""
        if not self.closed:
            with contextlib.suppress(RuntimeError):  # the loop is closing
                asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _end(self, why: str) -> None:
        self.close()
        self._lost(self, why)

    def _read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end("")
            return
        try:
            for body in self._frames.feed(data):
                self._take(decode(body))
        except ProtocolError as error:
            self._end(f"the watchdog speaks another language ({error})")

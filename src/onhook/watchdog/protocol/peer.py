"""Who is at the other end of the socket, and whether that process still is the one that it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Peer", "Process", "end", "peer_of"]

_TERMINATE = 0.5
"""Seconds that a process gets to end after each signal."""
_POLL = 0.02

_SO_PEERCRED = getattr(socket, "SO_PEERCRED", 17)
_UCRED = struct.Struct("3i")
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
"""macOS, `sys/un.h`."""
_XUCRED = struct.Struct("=IIh")


@dataclass(frozen=True, slots=True)
class Peer:
    """What the kernel says of the other end; nothing that it says itself.

    Args:
        uid: User id.
        pid: Process id; 0 where it is not visible from here (another container).
    """

    uid: int
    pid: int


def peer_of(connection: Any) -> Peer:
    """Ask the kernel who connected.

    Args:
        connection: A connected Unix socket.

    Raises:
        OSError: The kernel does not say.
    """
    if sys.platform == "darwin":
        raw = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76)
        _, uid, _ = _XUCRED.unpack_from(raw)
        return Peer(uid, connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID))
    raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(raw)
    return Peer(uid, max(pid, 0))


class Process:
    """A process of which we are not the parent, never to be mistaken for one with the same id.

    Args:
        pid: Process id; 0 for one that is not visible from here.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd: int | None = None
        self._born = ""
        if pid:
            try:
                self._fd = os.pidfd_open(pid)
            except (AttributeError, OSError):  # macOS, or Linux before 5.3, or it is gone
                self._born = _born(pid)

    @property
    def known(self) -> bool:
        """Whether anything can be said of it."""
        return self.pid != 0

    @property
    def fd(self) -> int | None:
        """A descriptor that becomes readable when the process ends, where the system has such."""
        return self._fd

    def alive(self) -> bool:
        """Return whether it runs; a zombie does not."""
        if self._fd is not None:
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            return not poll.poll(0)
        return bool(self._born) and _born(self.pid) == self._born

    def state(self) -> str:
        """Return the letter of its state (proc(5)): `R`, `S`, `D`, `T`; empty when unknown."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[0]

    def ended_by(self) -> str:
        """Return what ended it, `"SIGKILL"` or `"exit code 1"`; empty where that is not known.

        Only its parent may wait for it: the kernel tells others while it is a zombie (proc(5)).
        macOS does not tell.
        """
        if sys.platform != "linux" or not self.known or self.alive():
            return ""
        status = self._status()
        if status is None:
            return ""
        if sig := os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0:
            names = {int(each): each.name for each in signal.Signals}
            return names.get(sig, f"signal {sig}")
        return f"exit code {os.WEXITSTATUS(status)}"

    def _status(self) -> int | None:
        """Return its wait status (wait(2))."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return None
        state, *_, code = stat.rpartition(")")[2].split()
        return int(code) if state in ("Z", "X") else None

    def send(self, sig: signal.Signals) -> None:
        """Send a signal to this very process; one that is gone is as good."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._fd is not None:
                signal.pidfd_send_signal(self._fd, sig)
            elif self.alive():
                os.kill(self.pid, sig)

    def close(self) -> None:
        """Forget the process; safe to repeat."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


async def end(process: Process) -> None:
    """End a process that hangs: it must not wake and go on as if nothing had happened.

    Args:
        process: It is closed in any case; ourselves is left alone.
    """
    try:
        if process.pid in (0, os.getpid()):
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            process.send(sig)
            for _ in range(int(_TERMINATE / _POLL)):
                if not process.alive():
                    return
                await asyncio.sleep(_POLL)  # it is no child of ours: no portable event tells
    finally:
        process.close()


def _born(pid: int) -> str:
    """Return when a process was started, or an empty string when it does not run."""
    import psutil  # noqa: PLC0415 - only where the kernel has no pidfd

    try:
        process = psutil.Process(pid)
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return "" if zombie else str(process.create_time())
    except psutil.Error:
        return ""

"""A real redis-server on loopback, with a folder of its own; ended by its process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from onhook.bench.stack.ports import choose_ports

HOST = "127.0.0.1"
_UP = 10.0


class RedisServer:
    """Started by `start`; what it knows is gone when it is killed, unless it keeps a file.

    Args:
        folder: Its folder.
        port: Its port; a free one when omitted.
        kept: Whether it writes down every change at once, and has it again after a restart.
    """

    def __init__(self, folder: Path, port: int = 0, *, kept: bool = False) -> None:
        self.folder = folder
        self.port = port or choose_ports().redis
        self.kept = kept
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "install redis-server"
        keeping = ["--appendonly", "yes" if self.kept else "no", "--appendfsync", "always"]
        self.process = subprocess.Popen(
            [
                program,
                *("--bind", HOST, "--port", str(self.port), "--dir", str(self.folder)),
                *("--save", "", "--loglevel", "warning", *keeping),
            ],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + _UP
        while not self._answers():
            assert self.process.poll() is None, "redis-server has ended"
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.resume()
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1) as conn:
            conn.sendall(b"PING\r\n")
            return conn.recv(64).startswith(b"+PONG")
        return False

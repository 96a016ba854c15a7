"""One server process: its log, its health, its orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from onhook.bench.stack import leash
from onhook.bench.stack.stack_errors import StackError

__all__ = ["Server"]

_TAIL = 2000
_POLL = 0.05
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
"""livekit-sip drains without bound on SIGTERM and closes its calls on SIGINT (its `main.go`)."""
_PATIENCE = 3.0


class Server:
    """A server process that dies with this one.

    Args:
        name: For messages and the log's name.
        command: Program and arguments. Secrets do not belong here.
        log: Where its output goes.
        env: Variables to add to ours.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._env = {**os.environ, **(env or {})}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            StackError: It was not started.
        """
        if self._process is None:
            raise StackError(f"{self.name} is not running: start the stack first")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process in a group of its own, so that Ctrl-C is ours to handle."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                env=self._env,
            )

    async def healthy(self, check: Callable[[], Awaitable[bool]], *, deadline: float) -> None:
        """Wait until the server answers.

        Args:
            check: Asks once; `False` or an `OSError` means not yet.
            deadline: Seconds.

        Raises:
            StackError: It died, or was not healthy in time; with the end of its log.
        """
        until = time.monotonic() + deadline
        while time.monotonic() < until:
            if not self.running:
                raise StackError(f"{self.name} ended at its start: {self.tail()}")
            try:
                async with asyncio.timeout(1.0):
                    if await check():
                        return
            except (OSError, TimeoutError):
                pass
            await asyncio.sleep(_POLL)
        raise StackError(f"{self.name} was not healthy within {deadline:g} s: {self.tail()}")

    def kill(self, sig: signal.Signals) -> None:
        """Send a signal.

        Raises:
            StackError: It is not running.
        """
        if self._process is None or not self.running:
            raise StackError(f"{self.name} is not running, so it cannot be sent {sig.name}")
        self._process.send_signal(sig)

    async def wait(self) -> None:
        """Wait until the process has ended.

        Raises:
            StackError: It was not started.
        """
        if self._process is None:
            raise StackError(f"{self.name} is not running: start the stack first")
        await self._process.wait()

    async def stop(self) -> None:
        """End the process, in order if it will, by force if it must; safe to repeat."""
        if self._process is None:
            return
        for sig in _STOP:
            if self._process.returncode is not None:
                break
            self._process.send_signal(sig)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._process.wait()
            except TimeoutError:
                continue
        await self._process.wait()

    def tail(self) -> str:
        """Return the end of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"\n{text[-_TAIL:].strip() or '(its log is empty)'}\n(whole log: {self.log})"

"""A real sentinel beside the bench: `onhook sentinel run` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from onhook.bench.stack import Stack
from onhook.sinks.journal import Entry, SqliteJournal, Step

_START = 30.0
_POLL = 0.05


def free_port() -> int:
    """Return a port for a sentinel: the server has to know it before it starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningSentinel:
    """A sentinel's process, and what it has recorded."""

    process: asyncio.subprocess.Process
    port: int
    log: Path
    path: Path

    def entries(self, step: Step) -> list[Entry]:
        """Return what was recorded of all incidents, oldest first."""
        if not self.path.exists():
            return []
        found: list[Entry] = []
        position = 0
        with contextlib.closing(SqliteJournal(self.path)) as journal:
            while (page := journal.since(position))[1]:
                position = page[0]
                found += page[1]
        return [entry for entry in found if entry.step is step]

    async def closed(self, count: int = 1, *, deadline: float = 30.0) -> Entry:
        """Wait until so many incidents have their outcome; return the last one."""
        try:
            async with asyncio.timeout(deadline):
                while len(closed := self.entries(Step.CLOSED)) < count:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise AssertionError(f"not closed within {deadline:g} s:\n{self.tail()}") from None
        return closed[-1]

    async def status(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/status"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return dict(await answer.json())

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextlib.asynccontextmanager
async def sentinel(
    stack: Stack, folder: Path, port: int, *options: str, **env: str
) -> AsyncIterator[RunningSentinel]:
    """Run a sentinel until the context is left."""
    folder.mkdir(parents=True, exist_ok=True)
    log, journal = folder / "sentinel.log", folder / "incidents.db"
    variables = {
        **os.environ,
        **stack.env,
        "ONHOOK_JOURNAL": str(journal),
        "ONHOOK_OUTAGES": str(folder / "outages.json"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **env,
    }
    command: Sequence[str] = (sys.executable, "-m", "onhook.cli", "sentinel", "run")
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(*command, "--webhook", f"127.0.0.1:{port}", *options),
            env=variables,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
        )
    running = RunningSentinel(process, port, log, journal)
    try:
        await _listens(running)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(8.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"it did not end within 8 s:\n{running.tail()}") from None


async def _listens(running: RunningSentinel) -> None:
    async with asyncio.timeout(_START):
        while True:
            assert running.process.returncode is None, running.tail()
            with contextlib.suppress(aiohttp.ClientError, json.JSONDecodeError):
                await running.status()
                return
            await asyncio.sleep(_POLL)

"""The watchdog's process: one of a kind, quiet, and gone when nobody needs it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from onhook.errors import OnhookError
from onhook.sinks.journal import Journal
from onhook.watchdog.client.command import connect, talk
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.server import Server, bind
from onhook.watchdog.daemon.watched_job import Job
from onhook.watchdog.protocol.version import our_version
from onhook.watchdog.runtime_dir import RuntimeDir

__all__ = ["AlreadyRunningError", "Settings", "Watchdog"]

logger = logging.getLogger("onhook")

_LOOK = 0.25
_MOVE = 3.0
"""Seconds that jobs get to find another watchdog."""
_RELEASE = 25.0
"""Seconds for the last ladders before a host goes."""
_DESCRIPTORS = 4096


class AlreadyRunningError(OnhookError):
    """A watchdog of this user runs already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a watchdog behaves.

    Args:
        idle: Seconds without a job after which it ends; `None` is never.
        grace: Seconds after SIGTERM in which its jobs may end; those that die are rescued.
        release: Whether the calls that are left then get their ladder, because the whole host or
            container goes; else their jobs are told to find another watchdog.
        replace: Whether to take over from a watchdog that runs.
    """

    idle: float | None = None
    grace: float = 10.0
    release: bool = False
    replace: bool = False


class Watchdog:
    """One watchdog from its start to its end.

    Args:
        place: Where the socket is.
        settings: How to behave.
        journal: Keeps the evidence; in memory when omitted.
        version: Ours.
    """

    def __init__(
        self,
        place: RuntimeDir,
        settings: Settings,
        journal: Journal | None = None,
        *,
        version: str | None = None,
    ) -> None:
        self._place = place
        self._settings = settings
        self._version = our_version() if version is None else version
        self._rescuer = JobRescuer(journal)
        self._job_table = JobTable(self._rescuer)
        self._server = Server(
            self._job_table,
            refusal=self._rescuer.refusal,
            command=self._command,
            version=self._version,
        )
        self._began = time.monotonic()
        self._told = asyncio.Event()
        self._successor = False
        self._hurry = False
        self._lock: TextIO | None = None

    async def run(self) -> None:
        """Watch until told to stop, until idle, or until another watchdog takes over.

        Raises:
            AlreadyRunningError: One runs, and is not to be replaced.
            OSError: The socket cannot be made.
        """
        self._lock = _take(self._place.lock)
        if self._lock is None and not self._settings.replace:
            raise AlreadyRunningError(
                f"a watchdog runs already at {self._place.socket}: `onhook watchdog status` "
                "shows it, and --replace takes over from it"
            )
        older = None if self._lock is not None else connect(self._place.socket)
        _raise_limit()
        listening = bind(self._place.socket)
        inode = self._place.socket.stat().st_ino
        tasks = [
            asyncio.create_task(self._job_table.watch()),
            asyncio.create_task(self._server.tend()),
        ]
        try:
            await self._server.serve(listening)
            tasks.append(asyncio.create_task(self._succeed(older)))
            tasks.append(asyncio.create_task(self._rescuer.prepare()))
            logger.info("watching at %s, onhook %s", self._place.socket, self._version or "?")
            self._listen_to_signals()
            await self._until_told(tasks)
            await self._leave(inode)
        finally:
            _unlink(self._place.socket, inode)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._server.close()
            await self._job_table.aclose()
            if self._lock is not None:
                self._lock.close()
        logger.info("ended")

    async def _until_told(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait until there is a reason to end; a task of ours that breaks is one."""
        busy_at = time.monotonic()
        idle = self._settings.idle
        while not self._told.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._told.wait()
            now = time.monotonic()
            if self._job_table.busy or self._server.connections:
                busy_at = now
            if idle is not None and now - busy_at > idle:
                logger.info("no job for %g s", idle)
                return
            for task in tasks:
                if task.done() and (error := task.exception()) is not None:
                    raise error

    async def _leave(self, inode: int) -> None:
        """Go, but leave no call without a watchdog that could have one."""
        if not self._successor:
            self._server.accepting = False
            await self._patiently(self._settings.grace)
            if self._settings.release:
                self._job_table.release_all("the host stops, and this call was left")
                await self._patiently(_RELEASE)
                return
            _unlink(self._place.socket, inode)
            if self._lock is not None:
                self._lock.close()
                self._lock = None
        self._server.move("another watchdog takes over")
        await self._patiently(_MOVE, others=True)
        await self._patiently(_RELEASE)

    async def _patiently(self, seconds: float, *, others: bool = False) -> None:
        """Wait until nothing is left to do, but not for ever; a second signal ends the wait."""
        until = time.monotonic() + seconds
        while self._job_table.busy and time.monotonic() < until and not self._hurry:
            if others and not self._job_table.jobs:
                return
            await asyncio.sleep(_LOOK)  # jobs are other processes

    async def _succeed(self, older: socket.socket | None) -> None:
        """Become the one that runs: the older one hands its jobs over, and ends when they went."""
        if older is not None:
            with older, contextlib.suppress(OnhookError):
                await asyncio.to_thread(talk, older, "hand_over")
        while self._lock is None:
            self._lock = _take(self._place.lock)
            await asyncio.sleep(_LOOK)
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self._on_signal, sig)

    def _on_signal(self, sig: signal.Signals) -> None:
        logger.info("%s: %d calls are watched", sig.name, len(self._job_table.jobs))
        self._hurry = self._told.is_set()
        self._told.set()

    def _command(self, what: str) -> Mapping[str, Any]:
        match what:
            case "status":
                return self._status()
            case "stop":
                self._told.set()
                return {"pid": os.getpid(), "jobs": len(self._job_table.jobs)}
            case "hand_over":
                self._successor = True
                self._told.set()
                return {"pid": os.getpid(), "jobs": len(self._job_table.jobs)}
        return {"error": f"no such command: {what[:40]!r}"}

    def _status(self) -> Mapping[str, Any]:
        credentials = self._rescuer.credentials
        now = time.monotonic()
        return {
            "pid": os.getpid(),
            "version": self._version,
            "server": credentials.url if credentials is not None else "",
            "seconds": round(now - self._began, 1),
            "rescues": self._job_table.rescues,
            "cpu_seconds": round(time.process_time(), 3),
            "jobs": [_row(job, now) for job in self._job_table.jobs[:_ROWS]],
            "count": len(self._job_table.jobs),
        }


_ROWS = 200
"""Jobs that a status lists: one answer is one frame."""


def _row(job: Job, now: float) -> Mapping[str, Any]:
    return {
        "room": job.hello.room[:80],
        "job": job.hello.job[:40],
        "pid": job.process.pid,
        "last_beat": round(job.pulse.silent_for(now), 2),
        "agent": job.news.state[:20],
    }


def _take(path: Path) -> TextIO | None:
    """Take a lock, or return `None` where somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    file = os.fdopen(descriptor, "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _unlink(path: Path, inode: int) -> None:
    """Remove our socket, and nobody else's that took its place."""
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def _raise_limit() -> None:
    """Make room for a job's socket and process descriptor each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

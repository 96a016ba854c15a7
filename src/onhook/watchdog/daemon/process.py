"""The watchdog's process: one of its identity, quiet, and gone when nobody needs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onhook.errors import OnhookError
from onhook.livekit.credentials import Credentials
from onhook.sinks.journal import Journal
from onhook.version import VERSION
from onhook.watchdog.client.backoff import LONGEST
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.life_lock import LifeLock, taken
from onhook.watchdog.daemon.self_check import SelfCheck
from onhook.watchdog.daemon.sentinel_link import SentinelLink
from onhook.watchdog.daemon.server import Server, bind
from onhook.watchdog.daemon.watched_job import Job
from onhook.watchdog.options import WatchdogOptions
from onhook.watchdog.runtime_dir import WatchdogFiles, fingerprint, normalized

__all__ = ["AlreadyRunningError", "Watchdog"]

logger = logging.getLogger("onhook")

_LOOK = 0.25
_RELEASE = 25.0
"""Seconds for the last ladders before a host goes."""
_RETURN = LONGEST + 2.0
"""Seconds in which the jobs of a watchdog that was killed have come to this one."""
_DESCRIPTORS = 4096


class AlreadyRunningError(OnhookError):
    """A watchdog of this identity runs already."""


class Watchdog:
    """One watchdog from its start to its end.

    Args:
        files: Where the socket is.
        credentials: Server and key of all its jobs.
        options: How to behave.
        journal: Keeps the evidence; in memory when omitted.
    """

    def __init__(
        self,
        files: WatchdogFiles,
        credentials: Credentials,
        options: WatchdogOptions,
        journal: Journal | None = None,
    ) -> None:
        self._files = files
        self._credentials = credentials
        self._options = options
        self._sentinel = SentinelLink(credentials)
        self._rescuer = JobRescuer(credentials, journal, sinks=self._sentinel.sinks)
        self._job_table = JobTable(self._rescuer, told=self._sentinel.sinks)
        self._server = Server(
            self._job_table, command=self._command, unable=lambda: self._check.unable
        )
        self._check = SelfCheck(credentials, self._rescuer.prepare, self._server.welcome)
        self._began = time.monotonic()
        self._told = asyncio.Event()
        self._hurry = asyncio.Event()
        self._lock: int | None = None
        self._life = LifeLock(files)

    async def run(self) -> None:
        """Watch until idle, or until told to stop and the last call has ended.

        Raises:
            AlreadyRunningError: One of this identity runs.
            OSError: The socket cannot be made.
        """
        self._lock = taken(self._files.lock)
        if self._lock is None:
            raise AlreadyRunningError(
                f"a watchdog runs already at {self._files.socket}: `onhook watchdog status` "
                "shows it, and `onhook watchdog stop` lets another take the next calls"
            )
        self._life.take()
        _raise_limit()
        listening = bind(self._files.socket)
        inode = self._files.socket.stat().st_ino
        tasks = [
            asyncio.create_task(self._job_table.watch()),
            asyncio.create_task(self._server.tend()),
        ]
        try:
            await self._server.serve(listening)
            tasks.append(asyncio.create_task(self._check.watch()))
            tasks += self._sentinel.start(self._job_table, self._rescuer.prepare)
            logger.info("watching at %s, onhook %s", self._files.socket, VERSION)
            self._listen_to_signals()
            await self._until_told(tasks)
            self._retire(inode)
            await self._leave()
        finally:
            self._retire(inode)
            jobs = bool(self._job_table.jobs)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._server.close()
            await self._job_table.aclose()
            await self._sentinel.aclose()
            self._life.release(jobs=jobs)
        logger.info("ended")

    async def _until_told(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait until there is a reason to end; a task of ours that breaks is one."""
        busy_at = time.monotonic()
        idle = self._options.idle
        while not self._told.is_set():
            await _waited(self._told, _LOOK)
            now = time.monotonic()
            if self._job_table.busy or self._server.connections:
                busy_at = now
            if idle is not None and now - busy_at > idle:
                logger.info("no job for %g s", idle)
                return
            for task in tasks:
                if task.done() and (error := task.exception()) is not None:
                    raise error

    def _retire(self, inode: int) -> None:
        """Let another take the next jobs on, and keep those that are here; safe to repeat."""
        self._server.stop_listening()
        lock, self._lock = self._lock, None
        if lock is not None:
            _unlink(self._files.socket, inode)
            os.close(lock)

    async def _leave(self) -> None:
        """Go once no call needs us: its end, or its ladder, is waited for."""
        await self._until_free(self._options.grace if self._options.release else None)
        if self._options.release:
            self._job_table.release_all("the host stops, and this call was left")
        else:
            for connection in tuple(self._server.connections):
                connection.close()  # a job that lives goes to the next watchdog
        await self._finished(_RELEASE)

    async def _until_free(self, seconds: float | None) -> None:
        """Wait until there is no job and no rescue, for so long, or until told to hurry."""
        until = None if seconds is None else time.monotonic() + seconds
        while self._job_table.busy and not self._hurry.is_set():
            if until is not None and time.monotonic() >= until:
                return
            await _waited(self._hurry, _LOOK)  # jobs are other processes

    async def _finished(self, seconds: float) -> None:
        """Wait for the rescues that are under way."""
        until = time.monotonic() + seconds
        while self._job_table.rescuing and time.monotonic() < until:  # noqa: ASYNC110 - polled
            await asyncio.sleep(_LOOK)  # a rescue tells its end to nobody here

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self._on_signal, sig)

    def _on_signal(self, sig: signal.Signals) -> None:
        logger.info("%s: %d calls are watched", sig.name, len(self._job_table.jobs))
        (self._hurry if self._told.is_set() else self._told).set()

    def _command(self, what: str) -> Mapping[str, Any]:
        match what:
            case "status":
                return self._status()
            case "stop":
                self._told.set()
                return {**self._identity(), "count": len(self._job_table.jobs)}
        return {"error": f"no such command: {what[:40]!r}"}

    def _identity(self) -> Mapping[str, Any]:
        return {
            "pid": os.getpid(),
            "server": normalized(self._credentials.url),
            "key": fingerprint(self._credentials),
        }

    def _status(self) -> Mapping[str, Any]:
        now = time.monotonic()
        return {
            **self._identity(),
            "version": VERSION,
            "seconds": round(now - self._began, 1),
            "rescues": self._job_table.rescues,
            "unable": self._check.unable[:_SHOWN],
            "limits": self._check.limits,
            **self._sentinel.status(_SHOWN),
            "cpu_seconds": round(time.process_time(), 3),
            "jobs": [_row(job, now) for job in self._job_table.jobs[:_ROWS]],
            "count": len(self._job_table.jobs),
            "rescuing": len(self._job_table.rescued),
            "life": self._life.name,
            "settled": not self._life.follows or now - self._began > _RETURN,
        }


_SHOWN = 1000
"""Characters of a status' texts."""
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


async def _waited(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


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

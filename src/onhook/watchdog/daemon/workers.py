"""The workers whose jobs are watched: whether they live, and one word when one takes its calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from onhook.watchdog.protocol.peer import Process

__all__ = ["Workers"]

logger = logging.getLogger("onhook")

_SUMMARY = 0.5
"""Seconds for those of a worker's jobs that died before it to be counted too."""


@dataclass(slots=True)
class _Worker:
    process: Process
    jobs: int = 0
    before: int = 0
    """Jobs that died of late, while the worker still seemed to live."""
    dead: bool = False


class Workers:
    """Counts the jobs of each worker process."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}

    def close(self) -> None:
        """Forget all."""
        for pid in tuple(self._workers):
            self._forget(pid)

    def add(self, pid: int, *, visible: bool) -> None:
        """A job of a worker has come.

        Args:
            pid: The worker's process.
            visible: Whether process ids mean the same here as there.
        """
        if pid not in self._workers:
            worker = _Worker(Process(pid if visible else 0))
            self._workers[pid] = worker
            if worker.process.fd is not None:
                loop = asyncio.get_running_loop()
                loop.add_reader(worker.process.fd, self._ended, pid, worker)
        self._workers[pid].jobs += 1

    def drop(self, pid: int) -> None:
        """A job of a worker has gone."""
        worker = self._workers.get(pid)
        if worker is None:
            return
        worker.jobs -= 1
        if worker.jobs <= 0 and not worker.before:
            self._forget(pid)

    def died(self, pid: int) -> bool:
        """A job of a worker has died: return whether the worker is dead too."""
        worker = self._workers.get(pid)
        if worker is None or not worker.process.known:
            return False
        if not worker.process.alive():
            self._ended(pid, worker)
            return True
        worker.before += 1
        asyncio.get_running_loop().call_later(_SUMMARY, self._past, pid, worker)
        return False

    def _ended(self, pid: int, worker: _Worker) -> None:
        """Say once, and as soon as it is known, what a worker leaves behind."""
        if worker.dead:
            return
        worker.dead = True
        self._unwatch(worker)
        lost = worker.jobs + worker.before
        logger.error("the worker of process %d has died with %d guarded calls", pid, lost)

    def _past(self, pid: int, worker: _Worker) -> None:
        worker.before -= 1
        if worker.jobs <= 0 and not worker.before and self._workers.get(pid) is worker:
            self._forget(pid)

    def _unwatch(self, worker: _Worker) -> None:
        if worker.process.fd is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                asyncio.get_running_loop().remove_reader(worker.process.fd)

    def _forget(self, pid: int) -> None:
        worker = self._workers.pop(pid)
        self._unwatch(worker)
        worker.process.close()

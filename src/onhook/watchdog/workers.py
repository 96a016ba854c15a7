"""The workers whose jobs are watched: whether they live, and one word when one takes its calls."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from onhook.watchdog.peer import Process

__all__ = ["Workers"]

logger = logging.getLogger("onhook")

_SUMMARY = 0.5
"""Seconds for the last of a worker's jobs to be noticed."""


@dataclass(slots=True)
class _Worker:
    process: Process
    jobs: int = 0
    lost: int = 0


class Workers:
    """Counts the jobs of each worker process."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}

    def close(self) -> None:
        """Forget all."""
        for pid in tuple(self._workers):
            self._workers.pop(pid).process.close()

    def add(self, pid: int, *, visible: bool) -> None:
        """A job of a worker has come.

        Args:
            pid: The worker's process.
            visible: Whether process ids mean the same here as there.
        """
        if pid not in self._workers:
            self._workers[pid] = _Worker(Process(pid if visible else 0))
        self._workers[pid].jobs += 1

    def drop(self, pid: int) -> None:
        """A job of a worker has gone."""
        worker = self._workers.get(pid)
        if worker is None:
            return
        worker.jobs -= 1
        if worker.jobs <= 0 and not worker.lost:
            self._forget(pid)

    def died(self, pid: int) -> bool:
        """A job of a worker has died: return whether the worker is dead too."""
        worker = self._workers.get(pid)
        if worker is None or not worker.process.known or worker.process.alive():
            return False
        if not worker.lost:
            asyncio.get_running_loop().call_later(_SUMMARY, self._sum_up, pid)
        worker.lost += 1
        return True

    def _sum_up(self, pid: int) -> None:
        worker = self._workers.get(pid)
        if worker is not None:
            logger.error(
                "the worker of process %d has died with %d guarded calls", pid, worker.lost
            )
            self._forget(pid)

    def _forget(self, pid: int) -> None:
        self._workers.pop(pid).process.close()

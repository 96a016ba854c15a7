"""How many guarded calls this host has, by the watchdogs of this user."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onhook.errors import OnhookError
from onhook.watchdog.client.command import ask
from onhook.watchdog.runtime_dir import RuntimeDir

__all__ = ["HostJobs", "host_jobs"]


_JUST_BEGUN = (
    "a watchdog has just followed one that was killed: the jobs of that come to it within seconds"
)


@dataclass(frozen=True, slots=True)
class HostJobs:
    """What the watchdogs of one user and host tell.

    Args:
        calls: The calls of jobs that live, and those that are being rescued.
        watchdogs: How many have answered.
        ending: How many were told to end, so that they answer nobody, and stay for their last
            calls.
        unknown: Why it is not known how many calls there are; empty where it is.
    """

    calls: int = 0
    watchdogs: int = 0
    ending: int = 0
    unknown: str = ""

    @property
    def safe(self) -> bool:
        """Whether it is known that there are none."""
        return not (self.calls or self.ending or self.unknown)


def host_jobs(runtime: RuntimeDir) -> HostJobs:
    """Ask all watchdogs in a folder.

    A watchdog that has ended in order had no calls any more. Where one was killed its jobs begin
    another, or wait for one: until then nobody knows of them.

    Args:
        runtime: The folder.
    """
    living = set(_living(runtime))
    calls, watchdogs, unknown = 0, 0, ""
    sockets = runtime.sockets()
    for socket in sockets:
        try:
            told = ask(socket, "status")
            if told is not None:
                calls += int(told["count"]) + int(told.get("rescuing", 0))
                watchdogs += 1
                if told.get("settled") is False:
                    unknown = _JUST_BEGUN
                living.discard(str(told.get("life")))
        except (OnhookError, KeyError, TypeError, ValueError) as error:
            unknown = str(error)
    if calls or living:
        unknown = ""  # that there are some is enough
    elif not (unknown or watchdogs):
        unknown = _nobody(runtime, sockets)
    return HostJobs(calls, watchdogs, len(living), unknown)


def _nobody(runtime: RuntimeDir, sockets: tuple[Path, ...]) -> str:
    """Return what it means that no watchdog lives: there are no calls, or nobody knows."""
    if sockets or runtime.lives():
        return (
            "a watchdog was killed here, or told to leave its jobs, and no other has followed; "
            "`onhook watchdog run` starts one, to which its jobs come"
        )
    if not runtime.locks():
        return f"no watchdog has ever run in {runtime.folder}"
    return ""


def _living(runtime: RuntimeDir) -> Iterator[str]:
    """Yield the watchdogs that hold their file: the kernel lets it go when they end."""
    for path in runtime.lives():
        with contextlib.suppress(OSError):  # it has just ended
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                yield path.name.split(".")[1]
            finally:
                os.close(descriptor)

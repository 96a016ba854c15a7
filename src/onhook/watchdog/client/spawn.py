"""Starts a watchdog when none runs: detached, so that it outlives the worker and every job."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time

from onhook.threads import in_thread
from onhook.watchdog.client.command import connect
from onhook.watchdog.options import WatchdogOptions
from onhook.watchdog.runtime_dir import WatchdogFiles

__all__ = ["start"]

_IDLE = 300.0
"""Seconds without a job after which a watchdog that was started by one ends."""
_DETACHED = 10.0
"""Seconds for the new process to have let go of us."""
_LISTENING = 5.0
"""Seconds for it to listen; until then nobody else starts one."""
_POLL = 0.05


async def start(files: WatchdogFiles) -> bool:
    """Start a watchdog unless somebody is just doing so. It has our environment.

    Args:
        files: Where it will listen.

    Returns:
        Whether it was us.

    Raises:
        OSError: The program cannot be started.
    """
    return await in_thread(_start, files)


def _start(files: WatchdogFiles) -> bool:
    descriptor = os.open(files.starting, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(  # noqa: S603 - our own program
                WatchdogOptions(detached=True, idle=_IDLE).command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
                timeout=_DETACHED,
            )
        until = time.monotonic() + _LISTENING
        while (answer := connect(files.socket)) is None and time.monotonic() < until:
            time.sleep(_POLL)
        if answer is not None:
            answer.close()
    finally:
        os.close(descriptor)
    return True

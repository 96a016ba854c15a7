"""Shows that a watchdog's process lives, also when it takes no jobs on and answers nobody."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
from pathlib import Path

from onhook.watchdog.runtime_dir import WatchdogFiles

__all__ = ["LifeLock", "taken"]

logger = logging.getLogger("onhook")


class LifeLock:
    """A file of this process' own that is locked until it ends, whatever ends it.

    Taken under the one lock of an identity, so that what nobody holds is of nobody. Where it cannot
    be taken, the watchdog does without: it is for `onhook drain` alone.

    Args:
        files: Where the watchdog's files are.
    """

    def __init__(self, files: WatchdogFiles) -> None:
        self._files = files
        self._descriptor: int | None = None
        self.name = secrets.token_hex(4)
        """One for each start."""
        self.follows = False
        """Whether one before has ended with jobs that live, which come here within seconds."""

    def take(self) -> None:
        """Make and lock the file; remove those of watchdogs that were killed."""
        for path in self._files.lives():
            with contextlib.suppress(OSError):
                descriptor = taken(path)
                if descriptor is not None:
                    path.unlink()
                    os.close(descriptor)
                    self.follows = True
        why: object = "its file cannot be locked"
        try:
            self._descriptor = taken(self._files.life(self.name))
        except OSError as error:
            why = error
        if self._descriptor is None:
            logger.warning("`onhook drain` will not see this watchdog once it is ending: %s", why)

    def release(self, *, jobs: bool) -> None:
        """Let it go; safe to repeat.

        Args:
            jobs: Whether jobs are left that live: then the file stays for the next watchdog, as
                when this one had been killed.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            if not jobs:
                self._files.life(self.name).unlink(missing_ok=True)
            os.close(descriptor)


def taken(path: Path) -> int | None:
    """Take a file's lock; return the descriptor that holds it, `None` where somebody else does.

    Raises:
        OSError: The file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor

"""Where the watchdog of this user is found: one folder, one socket, one lock."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from onhook.errors import ConfigurationError

__all__ = ["RuntimeDir"]

_LONGEST = 100
"""Bytes of a Unix socket's path that every system takes (108 on Linux, 104 on macOS)."""


@dataclass(frozen=True, slots=True)
class RuntimeDir:
    """The runtime folder.

    Args:
        folder: For this user alone.
    """

    folder: Path

    @classmethod
    def of_this_user(cls) -> RuntimeDir:
        """Make the folder: `$ONHOOK_RUNTIME_DIR`, `$XDG_RUNTIME_DIR/onhook` or `/tmp/onhook-UID`.

        Raises:
            ConfigurationError: It cannot be made, or is not this user's alone.
        """
        own, runtime = os.environ.get("ONHOOK_RUNTIME_DIR"), os.environ.get("XDG_RUNTIME_DIR")
        if own:
            folder = Path(own)
        else:
            folder = Path(runtime) / "onhook" if runtime else Path(f"/tmp/onhook-{os.getuid()}")  # noqa: S108 - checked below
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = folder.lstat()
        except OSError as error:
            raise ConfigurationError(
                f"cannot make the folder {str(folder)!r} for the watchdog's socket "
                f"({error.strerror}): set ONHOOK_RUNTIME_DIR to a folder of yours"
            ) from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise ConfigurationError(
                f"{str(folder)!r} is not a folder that only you can write to: "
                "set ONHOOK_RUNTIME_DIR to a folder of yours"
            )
        place = cls(folder)
        if len(os.fsencode(place.socket)) > _LONGEST:
            raise ConfigurationError(
                f"the path {str(place.socket)!r} is too long for a socket: "
                "set ONHOOK_RUNTIME_DIR to a folder with a shorter name"
            )
        return place

    @property
    def socket(self) -> Path:
        """Where jobs connect."""
        return self.folder / "watchdog.sock"

    @property
    def lock(self) -> Path:
        """Held by the one watchdog that runs."""
        return self.folder / "watchdog.lock"

    @property
    def starting(self) -> Path:
        """Held by whoever starts one."""
        return self.folder / "starting.lock"

    @property
    def log(self) -> Path:
        """What a detached watchdog says."""
        return self.folder / "watchdog.log"

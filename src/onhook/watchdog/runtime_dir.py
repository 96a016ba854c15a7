"""Where watchdogs are found: one folder a user, and in it the files of each watchdog's identity."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from onhook import settings
from onhook.errors import ConfigurationError
from onhook.livekit.credentials import Credentials
from onhook.watchdog.protocol.frames import VERSION

__all__ = ["RuntimeDir", "WatchdogFiles", "fingerprint", "normalized"]

_LONGEST = 100
"""Bytes of a Unix socket's path that every system takes (108 on Linux, 104 on macOS)."""
_DIGITS = 12
"""Hexadecimal digits of a fingerprint: 48 bits tell identities apart, and no secret."""
_PORTS = {"ws": 80, "wss": 443}
_SAME = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class WatchdogFiles:
    """The files of one watchdog.

    Args:
        folder: For this user alone.
        identity: What its jobs and it must agree on, as a short word.
    """

    folder: Path
    identity: str

    @property
    def socket(self) -> Path:
        """Where jobs connect."""
        return self._file("sock")

    @property
    def lock(self) -> Path:
        """Held by the one watchdog of this identity that takes jobs on."""
        return self._file("lock")

    def life(self, name: str) -> Path:
        """Held by a watchdog for as long as its process lives, also when it takes no jobs on.

        Args:
            name: The watchdog's own word, another one for each start.
        """
        return self._file(f"{name}.life")

    def lives(self) -> tuple[Path, ...]:
        """Return those of all watchdogs of this identity, living or killed."""
        return tuple(sorted(self.folder.glob(f"watchdog-{self.identity}.*.life")))

    @property
    def starting(self) -> Path:
        """Held by whoever starts one."""
        return self._file("starting")

    @property
    def log(self) -> Path:
        """What a detached watchdog says."""
        return self._file("log")

    @property
    def output(self) -> Path:
        """What a detached watchdog's libraries print; begun anew with each watchdog."""
        return self._file("out")

    def _file(self, kind: str) -> Path:
        return self.folder / f"watchdog-{self.identity}.{kind}"


@dataclass(frozen=True, slots=True)
class RuntimeDir:
    """The runtime folder.

    Args:
        folder: For this user alone.
    """

    folder: Path

    @classmethod
    def of_this_user(cls) -> RuntimeDir:
        """Make the folder that `onhook.settings` names.

        Raises:
            ConfigurationError: It cannot be made, or is not this user's alone.
        """
        folder = settings.places().runtime
        if folder is None:
            raise ConfigurationError(
                "there is no folder for the watchdog's socket, in /tmp neither: "
                "set ONHOOK_RUNTIME_DIR to a folder of yours"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"cannot make the folder {str(folder)!r} for the watchdog's socket "
                f"({error.strerror}): set ONHOOK_RUNTIME_DIR to a folder of yours"
            ) from error
        if not settings.is_private(folder, os.getuid()):
            raise ConfigurationError(
                f"{str(folder)!r} is not a folder that only you can write to: "
                "set ONHOOK_RUNTIME_DIR to a folder of yours"
            )
        longest = WatchdogFiles(folder, "0" * _DIGITS).socket
        if len(os.fsencode(longest)) > _LONGEST:
            raise ConfigurationError(
                f"the path {str(longest)!r} is too long for a socket: "
                "set ONHOOK_RUNTIME_DIR to a folder with a shorter name"
            )
        return cls(folder)

    def of(self, credentials: Credentials) -> WatchdogFiles:
        """Return the files of the watchdog that has these credentials.

        Server, key and secret must agree, and so must the wire's format: whoever differs in one of
        them finds or starts a watchdog of its own beside this one.

        Args:
            credentials: Server and key.
        """
        parts = (str(VERSION), normalized(credentials.url), *_secrets(credentials))
        return WatchdogFiles(self.folder, _digest(*parts))

    def sockets(self) -> tuple[Path, ...]:
        """Return where watchdogs listen or have listened, of every identity."""
        return tuple(sorted(self.folder.glob("watchdog-*.sock")))

    def lives(self) -> tuple[Path, ...]:
        """Return what watchdogs hold for as long as they live, of every identity."""
        return tuple(sorted(self.folder.glob("watchdog-*.life")))

    def locks(self) -> tuple[Path, ...]:
        """Return the locks of all watchdogs that there ever were."""
        return tuple(sorted(self.folder.glob("watchdog-*.lock")))


def normalized(url: str) -> str:
    """Return one spelling of a server's address: `wss://HOST:PORT/PATH`.

    `http` is `ws` and `https` is `wss`, the default port is written out, the host is in lower case
    and the path has no slash at its end.

    Args:
        url: As `Credentials` take it.
    """
    parts = urlsplit(url.strip())
    scheme = _SAME.get(parts.scheme, parts.scheme)
    port = parts.port or _PORTS.get(scheme, 0)
    return f"{scheme}://{(parts.hostname or '').rstrip('.')}:{port}{parts.path.rstrip('/')}"


def fingerprint(credentials: Credentials) -> str:
    """Return a short word by which people tell keys apart; a rotated secret has another.

    Args:
        credentials: Server and key.
    """
    return _digest(*_secrets(credentials))[:8]


def _secrets(credentials: Credentials) -> tuple[str, ...]:
    if credentials.key:
        return "key", credentials.key, credentials.secret
    return "token", credentials.token


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:_DIGITS]

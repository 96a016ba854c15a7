"""The sentinel's token, and the workers that its page shows; without Starlette, for the CLI."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from onhook.errors import PolicyError

__all__ = ["MOST_WORKERS", "SHORTEST_TOKEN", "require_token", "token_in", "worker_addresses"]

SHORTEST_TOKEN = 16
"""Characters; a shorter one can be guessed."""
MOST_WORKERS = 200
_LARGEST = 1_024
"""Bytes of a file with a token."""


def require_token(token: str) -> None:
    """Refuse a token that is no good.

    Args:
        token: What whoever looks into the sentinel must bring; empty for none.

    Raises:
        PolicyError: Says what is allowed; never the token.
    """
    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise PolicyError(
            f"the sentinel's token has {len(token)} characters: give at least {SHORTEST_TOKEN}, "
            "letters and digits (`openssl rand -hex 16` makes one)"
        )


def worker_addresses(listed: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses of the HTTP ports of workers, each once.

    Args:
        listed: As a person writes them; `http://HOST:8081`, `HOST` or `HOST:PORT`.

    Raises:
        PolicyError: One is none, or there are too many.
    """
    addresses = tuple(dict.fromkeys(map(_worker_address, listed)))
    if len(addresses) > MOST_WORKERS:
        raise PolicyError(f"{len(addresses)} workers are listed: at most {MOST_WORKERS} are asked")
    return addresses


def _worker_address(text: str) -> str:
    """Return the address of a worker's HTTP port, `http://HOST:8081`."""
    given = text.strip().rstrip("/")
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not host or port == 0 or not plain:
        raise PolicyError(
            f"{text!r} is no worker: give http://HOST:PORT; a worker's HTTP port is 8081 unless "
            "it was told otherwise"
        )
    default = 443 if parts.scheme == "https" else 8081
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or default}"


def token_in(path: Path) -> str:
    """Return the token that a file holds, which not everybody may read.

    Args:
        path: The file.

    Raises:
        PolicyError: It cannot be used; says why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            data = file.read(_LARGEST + 1) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise PolicyError(f"the token's file {path} cannot be read: {error.strerror}") from None
    if found.st_mode & 0o004:
        raise PolicyError(f"the token's file {path} can be read by everybody: chmod o-r {path}")
    token = data.decode("ascii", "replace").strip()
    if not token or len(data) > _LARGEST:
        raise PolicyError(f"the token's file {path} holds none: write one line into it")
    return token

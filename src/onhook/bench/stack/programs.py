"""Where the server programs are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onhook.bench.stack.stack_errors import StackError

__all__ = ["Programs", "find_programs"]

_VARIABLES: Mapping[str, str] = {
    "redis-server": "ONHOOK_REDIS_SERVER",
    "livekit-server": "ONHOOK_LIVEKIT_SERVER",
    "livekit-sip": "ONHOOK_LIVEKIT_SIP",
}
_MEND: Mapping[str, str] = {
    "redis-server": "install Debian's package redis-server",
    "livekit-server": "run `make setup` in onhook's checkout, which builds it",
    "livekit-sip": "run `make setup` in onhook's checkout, which builds it",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """The paths of the programs; `sip` is `None` where a stack does without."""

    redis: Path
    server: Path
    sip: Path | None


def find_programs(*, sip: bool, sip_required: bool) -> Programs:
    """Find the programs: by variable, in `ONHOOK_BIN_DIR`, in `.local/bin` here, or on PATH.

    Args:
        sip: Whether livekit-sip is wanted.
        sip_required: Whether its absence is an error.

    Raises:
        StackError: One is missing, and how to get it.
    """
    phone = _find("livekit-sip") if sip else None
    if sip and sip_required and phone is None:
        raise _missing("livekit-sip")
    return Programs(_need("redis-server"), _need("livekit-server"), phone)


def _need(name: str) -> Path:
    found = _find(name)
    if found is None:
        raise _missing(name)
    return found


def _missing(name: str) -> StackError:
    return StackError(
        f"{name} was not found: {_MEND[name]}, or name it in {_VARIABLES[name]}=/path/to/{name}"
    )


def _find(name: str) -> Path | None:
    if given := os.environ.get(_VARIABLES[name]):
        path = Path(given)
        if not os.access(path, os.X_OK):
            raise StackError(f"{_VARIABLES[name]}={given!r} is no program that can be run")
        return path.absolute()
    folder = os.environ.get("ONHOOK_BIN_DIR") or ".local/bin"
    found = shutil.which(name, path=folder) or shutil.which(name)
    return Path(found).absolute() if found else None

"""Which stacks run: one small file each, for `onhook stack status` and `onhook call`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from onhook.stack.errors import StackError

__all__ = ["StackState", "check_name", "forget", "remember", "running", "state_folder"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")


@dataclass(frozen=True, slots=True)
class StackState:
    """What others may know of a running stack. The secret is in `env_file` only.

    Args:
        name: The stack's name.
        pid: The process that owns the servers.
        url: LiveKit server.
        sip: `HOST:PORT` of the SIP service, or empty.
        folder: Configuration and logs.
        env_file: A shell file that exports `LIVEKIT_*`; readable by its owner only.
        numbers: The numbers that have a route.
    """

    name: str
    pid: int
    url: str
    sip: str
    folder: str
    env_file: str
    numbers: tuple[str, ...] = ()


def state_folder() -> Path:
    """Return the folder for state files, made for this user alone.

    Raises:
        StackError: The folder is another user's, or a link.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "onhook" if runtime else Path(f"/tmp/onhook-{os.getuid()}")  # noqa: S108 - checked below
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise StackError(f"{folder} is not yours alone: set XDG_RUNTIME_DIR to a folder of yours")
    return folder


def remember(state: StackState) -> None:
    """Write a state file."""
    path = _path(state.name)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)))
    part.chmod(0o600)
    part.replace(path)


def forget(name: str) -> None:
    """Remove a state file; safe to repeat."""
    _path(name).unlink(missing_ok=True)


def running() -> Sequence[StackState]:
    """Return the stacks whose owner lives; files that dead owners left are removed."""
    found = []
    for path in sorted(state_folder().glob("*.json")):
        try:
            data = json.loads(path.read_text())
            state = StackState(**{**data, "numbers": tuple(data.get("numbers", ()))})
        except (ValueError, TypeError, OSError):
            continue
        if _lives(state.pid):
            found.append(state)
        else:
            path.unlink(missing_ok=True)
    return found


def check_name(name: str) -> None:
    """Refuse what cannot name a stack.

    Raises:
        StackError: Says what can.
    """
    if not _NAME.fullmatch(name):
        raise StackError(f"{name!r} is no name for a stack: use letters, digits, '-', '_' and '.'")


def _path(name: str) -> Path:
    check_name(name)
    return state_folder() / f"{name}.json"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

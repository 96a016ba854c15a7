"""Which stacks run: one small file each, for `onhook stack status` and `onhook call`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from onhook.bench.stack.stack_errors import StackError

__all__ = ["StackState", "check_name", "claimed", "remember", "running", "state_folder"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")
_MOMENT = 0.5
"""Seconds for which a name is asked for."""


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
        StackError: The folder is another user's, or a link, or cannot be made.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "onhook" if runtime else Path(f"/tmp/onhook-{os.getuid()}")  # noqa: S108 - checked below
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ours = not folder.is_symlink() and folder.stat().st_uid == os.getuid()
    except OSError as error:
        raise StackError(
            f"cannot make {folder} ({error.strerror}): set XDG_RUNTIME_DIR to a folder of yours"
        ) from error
    if not ours:
        raise StackError(f"{folder} is not yours alone: set XDG_RUNTIME_DIR to a folder of yours")
    return folder


@contextlib.contextmanager
def claimed(name: str) -> Iterator[None]:
    """Hold a name while its stack runs; the kernel gives it back however its owner dies.

    Raises:
        StackError: It is no name, or another stack holds it.
    """
    check_name(name)
    with _path(name, ".lock").open("w") as lock:
        until = time.monotonic() + _MOMENT  # somebody may be looking whether it is held
        while not _locked(lock.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise StackError(
                    f"a stack {name!r} is running: `onhook stack down --name {name}` ends it"
                )
            time.sleep(_MOMENT / 10)
        try:
            yield
        finally:
            _path(name).unlink(missing_ok=True)


def remember(state: StackState) -> None:
    """Write the state file of a stack whose name is held."""
    path = _path(state.name)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)))
    part.chmod(0o600)
    part.replace(path)


def running() -> Sequence[StackState]:
    """Return the stacks whose owner lives; files that dead owners left are removed."""
    found = []
    for path in sorted(state_folder().glob("*.json")):
        try:
            data = json.loads(path.read_text())
            state = StackState(**{**data, "numbers": tuple(data.get("numbers", ()))})
        except (ValueError, TypeError, OSError):
            continue
        if _held(state.name):
            found.append(state)
        else:
            path.unlink(missing_ok=True)
            Path(state.env_file).unlink(missing_ok=True)  # the keys of a server that is gone
    return found


def check_name(name: str) -> None:
    """Refuse what cannot name a stack.

    Raises:
        StackError: Says what can.
    """
    if not _NAME.fullmatch(name):
        raise StackError(f"{name!r} is no name for a stack: use letters, digits, '-', '_' and '.'")


def _path(name: str, suffix: str = ".json") -> Path:
    check_name(name)
    return state_folder() / f"{name}{suffix}"


def _held(name: str) -> bool:
    """Return whether a stack's owner lives. A process id alone may be somebody else's by now."""
    try:
        with _path(name, ".lock").open() as lock:
            return not _locked(lock.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

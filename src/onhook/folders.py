"""Folders that are one user's own, and how they are known. Nothing here raises."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import platformdirs

__all__ = ["SHARED", "SpareFolder", "expanded", "home_folder", "is_private", "unclaimed", "usable"]

SHARED = "/tmp"  # noqa: S108 - a folder in it is used when it is this user's alone


def expanded(path: Path | str) -> Path | None:
    """Return a path whole, so that it stays where it is in another folder and process.

    Args:
        path: What a person gave. `None` comes back where it is empty, or in a home that is none.
    """
    try:
        return Path(path).expanduser().absolute() if str(path) else None
    except (RuntimeError, OSError):
        return None


def is_private(folder: Path, uid: int) -> bool:
    """Return whether a folder is this user's, and nobody else can write to it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o022


class SpareFolder:
    """A folder of this user's own where everybody may write; made when somebody needs it."""

    def __init__(self, uid: int, parents: Iterable[str]) -> None:
        self._uid = uid
        self._parents = parents
        self.made: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The folder; `None` where there can be none."""
        for parent in () if self.made else map(Path, self._parents):
            folder = parent / f"onhook-{self._uid}"
            with contextlib.suppress(OSError):
                if parent.is_absolute():
                    folder.mkdir(mode=0o700, exist_ok=True)
            if is_private(folder, self._uid):
                self.made = folder
                break
        return self.made


def home_folder(kind: str) -> Path | None:
    """Return our folder by the XDG Base Directory Specification, if there is a home for it."""
    find = platformdirs.user_state_path if kind == "state" else platformdirs.user_cache_path
    try:
        folder = find("onhook", appauthor=False)
    except (RuntimeError, KeyError, OSError):  # an unknown uid, and no HOME
        return None
    return folder if folder.is_absolute() else None


def usable(folder: Path | None) -> TypeGuard[Path]:
    """Return whether a folder can be written to, or made; nothing is made."""
    for there in () if folder is None else (folder, *folder.parents):
        with contextlib.suppress(OSError):
            directory = stat.S_ISDIR(there.stat().st_mode)
            return directory and os.access(there, os.W_OK | os.X_OK)
    return False


def unclaimed(folder: Path, uid: int) -> bool:
    """Return whether a folder is ours, or nobody's yet."""
    return not os.path.lexists(folder) or is_private(folder, uid)

"""What onhook reads of the environment for itself, and where it keeps things. The README has both.

Nothing here raises because a home is missing: what has no place of its own goes to a folder below
`/tmp`, or is kept in memory, and the log says so once for each process.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeGuard
from urllib.parse import urlsplit

import platformdirs

from onhook.errors import ConfigurationError

__all__ = [
    "ACTIVE",
    "ATTRIBUTES",
    "JOURNAL",
    "MODE",
    "OUTAGES",
    "PLANS",
    "REDIS",
    "RUNTIME_DIR",
    "SENTINEL",
    "WATCHDOG",
    "Places",
    "attributes",
    "expanded",
    "is_on",
    "is_private",
    "mode",
    "outages",
    "places",
    "plans",
    "redis",
    "sentinel",
    "watchdog",
]

ACTIVE = "ONHOOK_ACTIVE"
ATTRIBUTES = "ONHOOK_ATTRIBUTES"
MODE = "ONHOOK_MODE"
WATCHDOG = "ONHOOK_WATCHDOG"
JOURNAL = "ONHOOK_JOURNAL"
RUNTIME_DIR = "ONHOOK_RUNTIME_DIR"
OUTAGES = "ONHOOK_OUTAGES"
PLANS = "ONHOOK_PLANS"
SENTINEL = "ONHOOK_SENTINEL"
REDIS = "ONHOOK_REDIS"

_PLACED_BY = (
    *(JOURNAL, RUNTIME_DIR, "TMPDIR", "XDG_RUNTIME_DIR"),
    *("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"),
)
_SHARED = "/tmp"  # noqa: S108 - a folder in it is used when it is this user's alone
_OFF = ("0", "false", "no", "off")

logger = logging.getLogger("onhook")


def is_on() -> bool:
    """Return whether `ONHOOK_ACTIVE` leaves the guards of this environment on."""
    return _word(ACTIVE) not in _OFF


def mode() -> Literal["act", "observe"] | None:
    """Return the mode that `ONHOOK_MODE` gives to every guard, if it does.

    Raises:
        ConfigurationError: It says something else than `act` or `observe`.
    """
    match _word(MODE):
        case "":
            return None
        case "act":
            return "act"
        case "observe":
            return "observe"
        case other:
            raise ConfigurationError(
                f"{MODE}={other!r}: give 'observe' (judge and record, do nothing) or 'act'"
            )


def watchdog() -> Literal["auto", "external", "off"] | None:
    """Return what `ONHOOK_WATCHDOG` says for every job of this environment."""
    match _word(WATCHDOG):
        case "auto":
            return "auto"
        case "external":
            return "external"
        case "off" | "0":
            return "off"
    return None


def attributes() -> Literal["on", "no-number", "no-ladder", "off"]:
    """Return what `ONHOOK_ATTRIBUTES` lets a guard tell in its agent's attributes.

    Raises:
        ConfigurationError: It is none of the four.
    """
    match _word(ATTRIBUTES):
        case "" | "no-number":
            return "no-number"
        case "on" | "1":
            return "on"
        case "no-ladder":
            return "no-ladder"
        case word if word in _OFF:
            return "off"
        case other:
            raise ConfigurationError(
                f"{ATTRIBUTES}={other!r}: give 'on', 'no-number' (a ladder that names a number "
                "stays away), 'no-ladder' or 'off'"
            )


def sentinel() -> str:
    """Return the address of the sentinel that watchdogs send their lease to; empty without one.

    Raises:
        ConfigurationError: It is no address of an HTTP server.
    """
    told = os.environ.get(SENTINEL, "").strip().rstrip("/")
    if not told:
        return ""
    with contextlib.suppress(ValueError):  # a port that is none
        parts = urlsplit(told)
        plain = not (parts.query or parts.fragment or "@" in parts.netloc)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and plain:
            return told
    raise ConfigurationError(f"{SENTINEL}={told!r}: give http://HOST:PORT, or https://HOST")


@dataclass(frozen=True, slots=True)
class Places:
    """Where this user's things are kept; `None` where there is no place for them.

    Args:
        journal: The file of incidents.
        renderings: The folder of spoken words.
        runtime: The folder of the watchdog's sockets. It need not be usable where the environment
            names it.
    """

    journal: Path | None
    renderings: Path | None
    runtime: Path | None


def places() -> Places:
    """Return where things are kept, as the environment is now."""
    return _places(os.geteuid(), tuple(os.environ.get(name, "") for name in _PLACED_BY))


@functools.lru_cache(maxsize=8)
def _places(uid: int, told: tuple[str, ...]) -> Places:
    """Choose the places, once for each environment; `told` are the values of `_PLACED_BY`."""
    given_journal, given_runtime, temporary, xdg_runtime, *_ = told
    spare = _Spare(uid, (_SHARED, temporary))
    state, cache, own = _home_folder("state"), _home_folder("cache"), expanded(xdg_runtime)
    journal, runtime = expanded(given_journal), expanded(given_runtime)
    if journal is None and (folder := state if _usable(state) else spare.folder):
        journal = folder / "incidents.db"
    if rendered := cache if _usable(cache) else spare.folder:
        rendered /= "renderings"
    if runtime is None:
        own = own / "onhook" if own is not None else None
        runtime = own if _usable(own) and _unclaimed(own, uid) else spare.folder
    if not (journal and rendered) or spare.made in (journal.parent, rendered.parent):
        logger.warning(
            "user %d has no home that can be written to: incidents are kept in %s, words that were "
            "spoken once in %s (ONHOOK_JOURNAL and XDG_CACHE_HOME name other places)",
            *(uid, journal or "no file", rendered or "the memory of one job"),
        )
    return Places(journal, rendered, runtime)


def outages() -> Path | None:
    """Return the file of the outage switch: as `ONHOOK_OUTAGES` says, else beside the journal."""
    if (given := expanded(os.environ.get(OUTAGES, ""))) is not None:
        return given
    journal = places().journal
    return None if journal is None else journal.parent / "outages.json"


def redis() -> str:
    """Return the address of the Redis that several sentinels share; empty for a single one."""
    return os.environ.get(REDIS, "").strip()


def plans() -> Path | None:
    """Return the file of the sentinel's plans that `ONHOOK_PLANS` names, if it does."""
    return expanded(os.environ.get(PLANS, ""))


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


class _Spare:
    """A folder of this user's own where everybody may write; made when somebody needs it."""

    def __init__(self, uid: int, parents: Iterable[str]) -> None:
        self._uid = uid
        self._parents = parents
        self.made: Path | None = None

    @property
    def folder(self) -> Path | None:
        for parent in () if self.made else map(Path, self._parents):
            folder = parent / f"onhook-{self._uid}"
            with contextlib.suppress(OSError):
                if parent.is_absolute():
                    folder.mkdir(mode=0o700, exist_ok=True)
            if is_private(folder, self._uid):
                self.made = folder
                break
        return self.made


def _home_folder(kind: str) -> Path | None:
    """Return our folder by the XDG Base Directory Specification, if there is a home for it."""
    find = platformdirs.user_state_path if kind == "state" else platformdirs.user_cache_path
    try:
        folder = find("onhook", appauthor=False)
    except (RuntimeError, KeyError, OSError):  # an unknown uid, and no HOME
        return None
    return folder if folder.is_absolute() else None


def _usable(folder: Path | None) -> TypeGuard[Path]:
    """Return whether a folder can be written to, or made; nothing is made."""
    for there in () if folder is None else (folder, *folder.parents):
        with contextlib.suppress(OSError):
            directory = stat.S_ISDIR(there.stat().st_mode)
            return directory and os.access(there, os.W_OK | os.X_OK)
    return False


def _unclaimed(folder: Path, uid: int) -> bool:
    """Return whether a folder is ours, or nobody's yet."""
    return not os.path.lexists(folder) or is_private(folder, uid)


def _word(name: str) -> str:
    return os.environ.get(name, "").strip().lower()

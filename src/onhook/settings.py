"""What onhook reads of the environment for itself, and where it keeps things. The README has both.

Nothing here raises because a home is missing: what has no place of its own goes to a folder below
`/tmp`, or is kept in memory, and the log says so once for each process.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from onhook.errors import ConfigurationError
from onhook.folders import (
    SHARED,
    SpareFolder,
    expanded,
    home_folder,
    is_private,
    unclaimed,
    usable,
)

__all__ = [
    "ACTIVE",
    "ATTRIBUTES",
    "JOURNAL",
    "MODE",
    "NUMBERS",
    "OUTAGES",
    "PLANS",
    "RECORDS",
    "REDIS",
    "RUNTIME_DIR",
    "SENTINEL",
    "SENTINEL_TOKEN",
    "WATCHDOG",
    "WEBHOOK_KEYS",
    "WEBHOOK_SECRET",
    "WEBHOOK_URL",
    "WORKERS",
    "Places",
    "attributes",
    "call_webhook",
    "expanded",
    "is_on",
    "is_private",
    "mode",
    "numbers",
    "outages",
    "places",
    "plans",
    "records",
    "redis",
    "sentinel",
    "sentinel_token",
    "watchdog",
    "webhook_keys",
    "workers",
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
RECORDS = "ONHOOK_RECORDS"
NUMBERS = "ONHOOK_NUMBERS"
WEBHOOK_URL = "ONHOOK_WEBHOOK_URL"
WEBHOOK_SECRET = "ONHOOK_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
WEBHOOK_KEYS = "ONHOOK_WEBHOOK_KEYS"
SENTINEL_TOKEN = "ONHOOK_SENTINEL_TOKEN"  # noqa: S105 - the name of a variable
WORKERS = "ONHOOK_WORKERS"

_PLACED_BY = (
    *(JOURNAL, RUNTIME_DIR, "TMPDIR", "XDG_RUNTIME_DIR"),
    *("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"),
)
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


def numbers() -> Literal["masked", "whole"]:
    """Return how `ONHOOK_NUMBERS` lets a sentinel keep and show phone numbers.

    Raises:
        ConfigurationError: It is neither of the two.
    """
    match _word(NUMBERS):
        case "" | "masked":
            return "masked"
        case "whole":
            return "whole"
        case other:
            raise ConfigurationError(
                f"{NUMBERS}={other!r}: give 'masked' (as +49*******567) or 'whole'"
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
    spare = SpareFolder(uid, (SHARED, temporary))
    state, cache, own = home_folder("state"), home_folder("cache"), expanded(xdg_runtime)
    journal, runtime = expanded(given_journal), expanded(given_runtime)
    if journal is None and (folder := state if usable(state) else spare.folder):
        journal = folder / "incidents.db"
    if rendered := cache if usable(cache) else spare.folder:
        rendered /= "renderings"
    if runtime is None:
        own = own / "onhook" if own is not None else None
        runtime = own if usable(own) and unclaimed(own, uid) else spare.folder
    if not (journal and rendered) or spare.made in (journal.parent, rendered.parent):
        logger.warning(
            "user %d has no home that can be written to: incidents are kept in %s, words that were "
            "spoken once in %s (ONHOOK_JOURNAL and XDG_CACHE_HOME name other places)",
            *(uid, journal or "no file", rendered or "the memory of one job"),
        )
    return Places(journal, rendered, runtime)


def outages() -> Path | None:
    """Return the file of the outage switch: as `ONHOOK_OUTAGES` says, else beside the journal."""
    return expanded(os.environ.get(OUTAGES, "")) or _beside_journal("outages.json")


def records() -> Path | None:
    """Return the file of call records: as `ONHOOK_RECORDS` says, else beside the journal."""
    return expanded(os.environ.get(RECORDS, "")) or _beside_journal("calls.db")


def call_webhook() -> tuple[str, str]:
    """Return where a sentinel tells of calls that have ended, and by which secrets; else empty."""
    return os.environ.get(WEBHOOK_URL, "").strip(), os.environ.get(WEBHOOK_SECRET, "").strip()


def redis() -> str:
    """Return the address of the Redis that several sentinels share; empty for a single one."""
    return os.environ.get(REDIS, "").strip()


def sentinel_token() -> str:
    """Return the token that a sentinel wants of whoever looks into it; empty for none."""
    return os.environ.get(SENTINEL_TOKEN, "").strip()


def webhook_keys() -> str:
    """Return further keys by which a sentinel believes webhooks, or the path of a file of them."""
    return os.environ.get(WEBHOOK_KEYS, "").strip()


def workers() -> tuple[str, ...]:
    """Return the addresses of the workers' HTTP ports that `ONHOOK_WORKERS` lists."""
    listed = os.environ.get(WORKERS, "").replace(",", " ")
    return tuple(listed.split())


def plans() -> Path | None:
    """Return the file of the sentinel's plans that `ONHOOK_PLANS` names, if it does."""
    return expanded(os.environ.get(PLANS, ""))


def _beside_journal(name: str) -> Path | None:
    journal = places().journal
    return None if journal is None else journal.parent / name


def _word(name: str) -> str:
    return os.environ.get(name, "").strip().lower()

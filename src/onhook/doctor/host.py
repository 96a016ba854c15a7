"""What onhook keeps and needs on this host: its files, disk, watchdog and rendered words."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onhook import settings
from onhook.doctor.findings import Finding, Kind, Level
from onhook.errors import ConfigurationError, OnhookError
from onhook.livekit.credentials import Credentials
from onhook.settings import Places
from onhook.version import VERSION
from onhook.watchdog.client.command import ask
from onhook.watchdog.runtime_dir import RuntimeDir, normalized

__all__ = ["KINDS", "Words", "judge_places", "judge_watchdog", "judge_words", "watchdog_status"]

JOURNAL = Kind(
    "host.journal",
    Level.ERROR,
    "the journal of incidents cannot be written or read",
    "what happened to callers is in no record, and nobody learns of it the next morning",
    "give this user the folder, or set ONHOOK_JOURNAL to a file in one that is",
)
RUNTIME = Kind(
    "host.runtime",
    Level.ERROR,
    "the watchdog's folder cannot be used",
    "a caller whose job is killed is left on a silent line: nobody watches it",
    "set ONHOOK_RUNTIME_DIR to a folder that only this user can write to",
)
RENDERINGS = Kind(
    "host.renderings",
    Level.WARNING,
    "the folder of rendered words cannot be written to",
    "callers hear the built-in prompt in place of your agent's voice and language",
    "give this user the folder, or set XDG_CACHE_HOME to one that is",
)
DISK = Kind(
    "host.disk",
    Level.WARNING,
    "the disk is nearly full",
    "incidents are not recorded, and no words are rendered",
    "make room: `onhook incidents` and renderings take some MB, logs and dumps the rest",
)
WORDS = Kind(
    "host.words",
    Level.WARNING,
    "words that callers are to hear have no rendering on this host",
    "the sentinel says nothing, or the built-in words; a guard asks its TTS while the caller waits",
    'give `audio = "FILE.wav"`, or let a guarded agent with the same words answer one call here',
)
NO_WATCHDOG = Kind(
    "watchdog.none",
    Level.ERROR,
    "no watchdog runs, and none will be started",
    "a caller whose job is killed or hangs is left on a silent line",
    "start `onhook watchdog run` beside the workers, with their LIVEKIT_* and the same user, or "
    "set ONHOOK_WATCHDOG=auto",
)
DEAF_WATCHDOG = Kind(
    "watchdog.silent",
    Level.ERROR,
    "the watchdog does not answer",
    "a caller whose job is killed or hangs may be left on a silent line",
    "end it; the next job starts another. Its log is beside its socket",
)
UNABLE = Kind(
    "watchdog.unable",
    Level.ERROR,
    "the watchdog could not rescue anybody",
    "a caller whose job is killed or hangs is left on a silent line",
    "mend what it says; `onhook watchdog status` asks it again",
)
LIMITED = Kind(
    "watchdog.limited",
    Level.WARNING,
    "the watchdog works within limits",
    "a rescue may come late, or without words",
    "mend what it says; `onhook watchdog status` asks it again",
)
OTHER_VERSION = Kind(
    "watchdog.version",
    Level.WARNING,
    "the watchdog is of another version of onhook",
    "what this version mends is not mended in it",
    "`onhook watchdog stop`: it ends with its last call, and the next job starts one like this",
)

KINDS: Sequence[Kind] = (
    *(JOURNAL, RUNTIME, RENDERINGS, DISK, WORDS),
    *(NO_WATCHDOG, DEAF_WATCHDOG, UNABLE, LIMITED, OTHER_VERSION),
)

_FULL, _NEARLY = 20 * 1024 * 1024, 200 * 1024 * 1024
"""Bytes that are free."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words that somebody is to say.

    Args:
        text: They.
        where: Where they are asked for.
        level: How grave it is that they have no rendering.
    """

    text: str
    where: str
    level: Level = Level.WARNING


def judge_places(places: Places) -> Iterator[Finding]:
    """Look whether files and folders can be used; nothing is made.

    Args:
        places: Where they are.
    """
    if places.journal is None:
        yield JOURNAL.found("journal", "there is no folder for it")
    else:
        yield from _journal(places.journal)
    if places.renderings is None or not _writable(places.renderings):
        yield RENDERINGS.found("renderings", f"{places.renderings or 'no folder'} is not writable")
    if places.runtime is None or not _writable(places.runtime):
        yield RUNTIME.found("runtime folder", f"{places.runtime or 'no folder'} is not writable")
    else:
        yield from _runtime(places.runtime)
    if (records := settings.records()) is not None and not _writable(records.parent):
        yield JOURNAL.found("call records", f"{records} cannot be written to")
    folders = {_existing(each) for each in (places.journal, places.renderings) if each is not None}
    for folder in sorted(folders):
        yield from _disk(folder)


def _journal(path: Path) -> Iterator[Finding]:
    usable = os.access(path, os.W_OK | os.R_OK) if path.exists() else _writable(path.parent)
    if not usable or path.is_dir():
        yield JOURNAL.found("journal", f"{path} cannot be written to")
    elif path.exists() and path.stat().st_size:
        try:
            with contextlib.closing(
                sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
            ) as journal:
                journal.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            yield JOURNAL.found(
                "journal",
                f"{path} is no journal that can be read ({error})",
                mend="move it away; the next incident makes a new one",
            )


def _runtime(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        return
    try:
        RuntimeDir.of_this_user()
    except ConfigurationError as error:
        yield RUNTIME.found("runtime folder", str(error))


def _disk(folder: Path) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free < _NEARLY:
        level = Level.ERROR if free < _FULL else None
        yield DISK.found(str(folder), f"{free // 1024 // 1024} MB are free there", level=level)


def _existing(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def _writable(folder: Path) -> bool:
    """Return whether a folder can be written to, or made."""
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), None)
    return there is not None and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def judge_words(
    wanted: Iterable[Words], renderings: Path | None, built_in: Iterable[str]
) -> Iterator[Finding]:
    """Judge whether words can be said at once.

    Args:
        wanted: The words.
        renderings: The folder of renderings.
        built_in: Words that onhook has a recording of.
    """
    from onhook.livekit.renderings import Renderings  # noqa: PLC0415 - livekit-agents and numpy

    known = frozenset(built_in)
    for words in dict.fromkeys(wanted):
        if words.text in known:
            continue
        path = Renderings(renderings).path(words.text, "") if renderings is not None else None
        if path is None or not any(path.parent.glob("[!.]*.wav")):
            short = words.text if len(words.text) <= 40 else f"{words.text[:37]}..."
            yield WORDS.found(words.where, f"{short!r} has no rendering", level=words.level)


def watchdog_status(credentials: Credentials) -> tuple[Mapping[str, Any] | None, str]:
    """Ask the watchdog of this server and key; return its status, or `None` and what went wrong.

    Args:
        credentials: Server and key.
    """
    try:
        return ask(RuntimeDir.of_this_user().of(credentials).socket, "status"), ""
    except (OnhookError, OSError, json.JSONDecodeError) as error:
        return None, str(error)


def judge_watchdog(
    status: Mapping[str, Any] | None, wrong: str, *, how: str, server: str
) -> Iterator[Finding]:
    """Judge the watchdog that has the workers' server and key.

    Args:
        status: What it tells; `None` where none does.
        wrong: What went wrong.
        how: What `ONHOOK_WATCHDOG` says; empty for nothing.
        server: The server's address.
    """
    subject = f"watchdog for {normalized(server)}"
    if wrong:
        yield DEAF_WATCHDOG.found(subject, wrong)
    elif status is None:
        if how == "off":
            yield NO_WATCHDOG.found(
                subject, "ONHOOK_WATCHDOG=off", level=Level.WARNING, mend="take it away"
            )
        elif how == "external":
            yield NO_WATCHDOG.found(subject, "none runs, and ONHOOK_WATCHDOG=external starts none")
    else:
        if status.get("unable"):
            yield UNABLE.found(subject, str(status["unable"]))
        elif status.get("limits"):
            yield LIMITED.found(subject, str(status["limits"]))
        theirs = str(status.get("version", ""))
        if theirs and theirs != VERSION:
            yield OTHER_VERSION.found(subject, f"it is onhook {theirs}, and this is {VERSION}")

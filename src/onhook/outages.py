"""The outage switch as others read it: for which calls the agents are known not to be there.

`onhook sentinel outage on` writes the file; sentinels and `onhook.dial` read it. Whatever is wrong
with it, it is as if there were none.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import shlex
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from onhook import settings
from onhook.errors import OutageFileError

__all__ = [
    "VERSION",
    "DamagedFileError",
    "Outage",
    "OutageFile",
    "Scope",
    "explained",
    "number_key",
    "same_number",
]

Scope: TypeAlias = Literal["number", "trunk", "tag", "all"]

logger = logging.getLogger("onhook")

VERSION = 1
LARGEST = 1_000_000
"""Bytes; a file that is larger was not written by us."""
_RACY = 2.0
"""Seconds after a change for which another one may leave the time of the file as it is."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Calls of a number, a trunk, a tag, or all, go straight to their fallback.

    Args:
        scope: Of what.
        value: Which one; empty for all.
        since: When it was switched on, in seconds since 1970.
        until: When it ends by itself, likewise.
        by: Who switched it on.
        reason: Why, in their words.
        fallback: Where the calls go, as a `tel:` or `sip:` address; empty for what the plans say.
    """

    scope: Scope
    value: str
    since: float
    until: float
    by: str = ""
    reason: str = ""
    fallback: str = ""

    def holds(self, number: str, trunk: str, tags: Collection[str]) -> bool:
        """Return whether it is for a call.

        Args:
            number: The project's number that was called, or is dialled.
            trunk: Id of the trunk.
            tags: Those of the room.
        """
        match self.scope:
            case "number":
                return same_number(self.value, number)
            case "trunk":
                return self.value == trunk
            case "tag":
                return self.value in tags
            case "all":
                return True

    @property
    def what(self) -> str:
        """The calls that it is for, in words."""
        return "all calls" if self.scope == "all" else f"{self.scope} {self.value}"


def same_number(one: str, other: str) -> bool:
    """Return whether two spellings are one number: +1 555 0100, 0015550100, 15550100."""
    return bool(one and other) and number_key(one) == number_key(other)


@functools.lru_cache(maxsize=4096)
def number_key(number: str) -> str:
    """Return a number as all its spellings have it: digits alone; a name in small letters."""
    bare = re.sub(r"[\s.()-]", "", number)
    digits = bare.removeprefix("+")
    return digits.removeprefix("00") if digits.isdigit() else bare.casefold()


def explained(outage: Outage) -> str:
    """Return one sentence on an outage: of what, until when, by whom, and how it ends."""
    until = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(outage.until))
    reason = f" ({outage.reason})" if outage.reason else ""
    flag = "--all" if outage.scope == "all" else f"--{outage.scope} {shlex.quote(outage.value)}"
    return (
        f"an outage of {outage.what} is on until {until}, by {outage.by}{reason}; "
        f"`onhook sentinel outage off {flag}` ends it"
    )


class DamagedFileError(OutageFileError):
    """The file holds something else than outages."""


class OutageFile:
    """Which outages there are; the file is read again when it has changed.

    Args:
        path: The file; as `onhook.settings` says when omitted.
        wall: Seconds since 1970.
    """

    def __init__(self, path: Path | None = None, *, wall: Callable[[], float] = time.time) -> None:
        self._path = path if path is not None else settings.outages()
        self._wall = wall
        self._seen: tuple[int, ...] | None = None
        self._outages: tuple[Outage, ...] = ()
        self._told = ""

    @property
    def path(self) -> Path | None:
        """The file; `None` where there is no place for it."""
        return self._path

    def current(self) -> tuple[Outage, ...]:
        """Return the outages that are on now; none where the file cannot be read."""
        try:
            self._refresh()
        except (OutageFileError, OSError) as error:
            self._seen, self._outages = None, ()
            if str(error) != self._told:
                self._told = str(error)
                logger.warning("no outage is known of, calls go on as ever: %s", error)
        now = self._wall()
        return tuple(outage for outage in self._outages if outage.until > now)

    def for_call(self, number: str, trunk: str, tags: Collection[str] = ()) -> Outage | None:
        """Return the outage that is on for a call, the most specific one.

        Args:
            number: The project's number that was called.
            trunk: Id of the trunk.
            tags: Those of the room.
        """
        found = [outage for outage in self.current() if outage.holds(number, trunk, tags)]
        order = get_args(Scope)
        return min(found, key=lambda o: (order.index(o.scope), o.value), default=None)

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._seen, self._outages = None, ()
            return
        seen = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
        if seen == self._seen:
            return
        self._outages = outages_in(read(self._path))
        settled = abs(self._wall() - found.st_mtime) > _RACY
        self._seen, self._told = seen if settled else None, ""


def read(path: Path) -> Mapping[str, Any]:
    """Return what is in the file; nothing where there is none.

    Raises:
        OutageFileError: It is not one that only its owner writes to, or holds something else.
        OSError: It cannot be read.
    """
    with contextlib.suppress(FileNotFoundError):
        # a pipe is not waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                raise DamagedFileError(f"{path} is no file of outages: move it away")
            if found.st_mode & 0o022:
                raise OutageFileError(
                    f"{path} may be written by others, who could stop calls with it: chmod go-w"
                )
            text = file.read(LARGEST)
        try:
            held = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _damaged(path, error) from error
        if not isinstance(held, dict) or held.get("version") != VERSION:
            raise _damaged(path, "its version is not 1")
        return held
    return {}


def outages_in(held: Mapping[str, Any]) -> tuple[Outage, ...]:
    """Return the outages of what was read.

    Raises:
        OutageFileError: They are none.
    """
    return tuple(_outages(held.get("outages", [])))


def _outages(listed: Any) -> Iterator[Outage]:
    try:
        for one in listed:
            outage = Outage(**one)
            texts = (v for k, v in asdict(outage).items() if k not in ("since", "until"))
            if not all(isinstance(text, str) for text in texts) or not (
                outage.scope in get_args(Scope) and outage.since < outage.until
            ):
                raise TypeError(f"{one!r} is no outage")  # noqa: TRY301 - one message for all
            yield outage
    except TypeError as error:
        raise DamagedFileError(f"the file of outages holds something else: {error}") from error


def _damaged(path: Path, why: object) -> DamagedFileError:
    return DamagedFileError(f"{path} is no file of outages ({why}): move it away")

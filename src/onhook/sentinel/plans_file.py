"""The file of plans as it changes: the last that was right is in force."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

from onhook.errors import PlansError
from onhook.rungs import Say, Transfer
from onhook.sentinel.plans import Plans
from onhook.sentinel.plans_parser import parse

__all__ = ["PlansFile", "notes"]

logger = logging.getLogger("onhook")

_LARGEST = 512 * 1024
"""Bytes of a file."""
_SETTLED = 0.5
"""Seconds since the last change after which a file is no longer being written."""
_RACY = 2.0
"""Seconds after a change for which another one may leave the time of the file as it is."""


class PlansFile:
    """The plans in force: those of the file as it was when it last was right.

    Args:
        path: The file.
        own: Numbers of the project's trunks; see `parse`.
        wall: Seconds since 1970.

    Raises:
        PlansError: It cannot be read, or has mistakes.
    """

    def __init__(
        self,
        path: Path,
        *,
        own: Collection[str] = (),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._own = own
        self._wall = wall
        self._seen: tuple[int, ...] | None = None
        self._problem = ""
        self._hash, text = self._content()
        self._plans = self._parsed(text)

    @property
    def plans(self) -> Plans:
        """The plans in force."""
        return self._plans

    @property
    def problem(self) -> str:
        """Why the file as it is now is not in force; empty while it is."""
        return self._problem

    def reload(self) -> bool:
        """Look whether the file has changed; return whether other plans are in force now.

        A file that cannot be read, is just being written or has mistakes leaves those of before,
        which is logged once. It blocks for milliseconds; with thousands of plans for a second.
        """
        try:
            found = self._path.stat()
            age = self._wall() - found.st_mtime
            seen = (found.st_ino, found.st_size, found.st_mtime_ns)
            if seen == self._seen or 0 <= age < _SETTLED:
                return False
            digest, text = self._content()
        except OSError as error:
            self._seen = None
            return self._refused(self._unreadable(error))
        except PlansError as error:
            return self._refused(error)
        self._seen = None if 0 <= age < _RACY else seen
        before = self._plans
        if digest != self._hash:
            try:
                self._plans = self._parsed(text)
            except PlansError as error:
                return self._refused(error)
            self._hash = digest
        if self._problem:
            logger.info("%s is as it should be again", self._path)
        self._problem = ""
        return self._plans != before

    def _refused(self, error: PlansError) -> Literal[False]:
        if str(error) != self._problem:
            self._problem = str(error)
            logger.error(
                "%s is not taken, the plans of before stay in force:\n%s", self._path, error
            )
        return False

    def _parsed(self, text: str) -> Plans:
        return parse(text, name=str(self._path), folder=self._path.parent, own=self._own)

    def _content(self) -> tuple[bytes, str]:
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise self._unreadable(error) from None
        digest = hashlib.sha256(data).digest()
        if len(data) > _LARGEST:
            raise PlansError(f"{self._path}: it is larger than {_LARGEST // 1024} KiB")
        try:
            return digest, data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise PlansError(f"{self._path}:{line}: this is no UTF-8: save it as that") from None

    def _unreadable(self, error: OSError) -> PlansError:
        return PlansError(f"{self._path}: cannot be read: {error.strerror}")


def notes(plans: Plans) -> tuple[str, ...]:
    """Return what is no mistake, and may not be what was meant."""
    every = [plans.default, *dict.fromkeys(rule.plan for rule in plans.rules)]
    found = []
    for plan in every:
        rungs = plan.ladder.rungs
        says = [place for place, rung in enumerate(rungs) if isinstance(rung, Say)]
        sends = [place for place, rung in enumerate(rungs) if isinstance(rung, Transfer)]
        if sends and (not says or says[0] > sends[0]):
            found.append(
                f"{plan.name}: nothing is said before the transfer, and a line that still rings "
                'cannot be transferred: put {rung = "say"} first'
            )
    if not any(plan.fallback for plan in every):
        found.append("no plan has a fallback: in an outage callers hear an apology and no more")
    return tuple(found)

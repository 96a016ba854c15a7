"""The outage switch: turned on and off by a person, with who, when, and until when."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from onhook import settings
from onhook.errors import OutageFileError, PolicyError
from onhook.outages import VERSION, DamagedFileError, Outage, Scope, outages_in, read, same_number
from onhook.sentinel.phone_numbers import by_key, fallback_address, leads_back
from onhook.validation import require_seconds, require_text

__all__ = ["LONGEST", "OutageChange", "OutageSwitch"]

LONGEST = 7 * 86_400.0
"""Seconds that an outage may be on; one that is forgotten would turn callers away for ever."""
_MOST = 1_000
_HISTORY = 100
"""Changes that are kept."""
_LONGEST_TEXT = 200
_LOCKED = 5.0
"""Seconds to wait for somebody else who turns the switch."""
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class OutageChange:
    """Somebody turned the switch.

    Args:
        at: When, in seconds since 1970.
        by: Who.
        turned: Which way.
        outage: The one that was meant.
    """

    at: float
    by: str
    turned: Literal["on", "off"]
    outage: Outage


class OutageSwitch:
    """Switches outages on and off in a file that sentinels and `onhook.dial` read.

    The file is its owner's alone, unless its mode was changed; it is replaced as a whole, and one
    that is damaged is moved aside: in an outage the switch must work.

    Args:
        path: The file; as `onhook.settings` says when omitted.
        wall: Seconds since 1970.

    Raises:
        OutageFileError: From every method: the file cannot be used.
    """

    def __init__(self, path: Path | None = None, *, wall: Callable[[], float] = time.time) -> None:
        found = path if path is not None else settings.outages()
        if found is None:
            raise OutageFileError(
                "there is no place for the file of outages: name one (ONHOOK_OUTAGES=FILE)"
            )
        self.path = found
        self._wall = wall

    def on(
        self,
        scope: Scope,
        value: str = "",
        *,
        seconds: float,
        by: str,
        reason: str = "",
        fallback: str = "",
        own: Collection[str] = (),
    ) -> Outage:
        """Switch an outage on; one of the same calls is replaced.

        Args:
            scope: Of what.
            value: Which number, trunk or tag; empty for all.
            seconds: After how long it ends by itself.
            by: Who does it.
            reason: Why, in their words.
            fallback: Where the calls go; empty for what the plans say.
            own: Numbers of the project's trunks, to which no fallback may lead.

        Raises:
            PolicyError: One of these cannot be; says what can.
        """
        _check(scope, value, seconds)
        require_text("outage", "by", by, "who switches it on")
        address = fallback_address(fallback) if fallback else ""
        known = [*own, value] if scope == "number" else own
        if number := leads_back(address, by_key(known)):
            raise PolicyError(
                f"{address!r} leads to {number}, a number of your own: the caller would come back "
                "as a new call, again and again. Give another fallback"
            )
        now = self._wall()
        outage = Outage(scope, value, now, now + seconds, _short(by), _short(reason), address)
        with self._turning() as held:
            kept = [o for o in _current(held, now) if not _same(o, scope, value)]
            if len(kept) >= _MOST:
                raise PolicyError(f"{_MOST} outages are on: switch all off, or one on for all")
            self._write(held, [*kept, outage], [OutageChange(now, outage.by, "on", outage)])
        return outage

    def off(self, scope: Scope, value: str = "", *, by: str) -> tuple[Outage, ...]:
        """Switch an outage off; return what was on.

        Args:
            scope: Of what; `all` ends every outage.
            value: Which number, trunk or tag.
            by: Who does it.
        """
        now = self._wall()
        with self._turning() as held:
            on = _current(held, now)
            ended = [o for o in on if scope == "all" or _same(o, scope, value)]
            if ended:
                changes = [OutageChange(now, _short(by), "off", outage) for outage in ended]
                self._write(held, [o for o in on if o not in ended], changes)
        return tuple(ended)

    def current(self) -> tuple[Outage, ...]:
        """Return the outages that are on now.

        Raises:
            OutageFileError: The file holds something else.
        """
        return tuple(_current(self._read(), self._wall()))

    def history(self) -> tuple[OutageChange, ...]:
        """Return who turned the switch, the newest first; an expiry is in the change itself.

        Raises:
            OutageFileError: The file holds something else.
        """
        return tuple(reversed(_history(self._read())))

    def _read(self) -> dict[str, Any]:
        try:
            return dict(read(self.path))
        except OSError as error:
            raise self._unusable(error) from error

    @contextlib.contextmanager
    def _turning(self) -> Iterator[dict[str, Any]]:
        """Hold the lock, and hand out what is in the file."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock():
                try:
                    held = dict(read(self.path))
                    outages_in(held)
                except DamagedFileError:
                    self.path.replace(f"{self.path}.damaged")
                    held = {}
                yield held
        except OSError as error:
            raise self._unusable(error) from error

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(f"{self.path}.lock", flags, 0o600)
        try:
            until = time.monotonic() + _LOCKED
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise OutageFileError(
                            f"somebody else has been turning the switch for {_LOCKED:g} s "
                            f"({self.path}.lock); try again"
                        ) from None
                    time.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)

    def _write(
        self, held: dict[str, Any], outages: list[Outage], changes: list[OutageChange]
    ) -> None:
        history = [*_history(held), *changes][-_HISTORY:]
        text = json.dumps(
            {
                "version": VERSION,
                "outages": [asdict(outage) for outage in outages],
                "history": [asdict(change) for change in history],
            },
            indent=1,
        )
        mode = 0o600
        with contextlib.suppress(FileNotFoundError):
            mode |= stat.S_IMODE(self.path.stat().st_mode) & 0o644
        descriptor, part = tempfile.mkstemp(prefix=".outages-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(part).replace(self.path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def _unusable(self, error: OSError) -> OutageFileError:
        return OutageFileError(
            f"cannot use the file of outages {self.path} ({error.strerror}): it and its folder "
            "must be writable for this user, or name another one (ONHOOK_OUTAGES=FILE)"
        )


def _check(scope: Scope, value: str, seconds: float) -> None:
    require_seconds("outage", "seconds", seconds)
    if seconds > LONGEST:
        raise PolicyError(
            f"an outage of {seconds / 3600:g} h: give at most {LONGEST / 3600:g} h, a week; it can "
            "be switched on again"
        )
    if scope == "trunk" and not value.startswith("ST_"):
        raise PolicyError(f"{value!r} is no trunk: give its id, ST_...")
    if scope != "all" and (not value.strip() or not value.isprintable()):
        raise PolicyError(f"{value!r} is no {scope}: give the {scope} that is out")


def _same(outage: Outage, scope: Scope, value: str) -> bool:
    if outage.scope != scope:
        return False
    return same_number(outage.value, value) if scope == "number" else outage.value == value


def _current(held: dict[str, Any], now: float) -> list[Outage]:
    return [outage for outage in outages_in(held) if outage.until > now]


def _history(held: dict[str, Any]) -> list[OutageChange]:
    """Return the changes; what is none of them is left out: it stops nobody."""
    found = []
    listed = held.get("history")
    for one in listed if isinstance(listed, list) else ():
        with contextlib.suppress(TypeError, OutageFileError, KeyError):
            (outage,) = outages_in({"outages": [one["outage"]]})
            change = OutageChange(**{**one, "outage": outage})
            found.append(replace(change, at=float(change.at)))
    return found


def _short(text: str) -> str:
    bare = "".join(c if c.isprintable() else " " for c in text).strip()
    return bare[:_LONGEST_TEXT]

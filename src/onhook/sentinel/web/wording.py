"""How texts, times and lengths of time are written on the page."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from onhook.sentinel.records.number_mask import NumberMask

__all__ = ["Moment", "Words", "duration", "moment", "printable", "short_duration"]

_LONGEST = 400
"""Characters of a sentence that is shown."""
_LONGEST_NAME = 80
"""Characters of a name in a list; callers choose theirs."""


def printable(text: str) -> str:
    r"""Return a text in which nothing is hidden: what is not printable is written as `\u202e`.

    Characters that turn the direction of a text are among these, so that no name can make the
    words beside it read otherwise.

    Args:
        text: It; line ends and tabs stay.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def duration(seconds: float | None) -> str:
    """Return a length of time as a person says it: `7 s`, `2:05 min`, `1:04:09 h`.

    Args:
        seconds: It; `None` for nothing.
    """
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"


def short_duration(seconds: float) -> str:
    """Return a length of time of which tenths of a second count: `0.7 s`, else as `duration` does.

    Args:
        seconds: It.
    """
    return f"{seconds:.1f} s" if 0 < seconds < 10 else duration(seconds)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as it is shown.

    Args:
        text: In the zone of this host; the page turns it into that of the browser, where it can.
        utc: The same in UTC, for the title.
        machine: The same as HTML's `datetime`.
    """

    text: str
    utc: str
    machine: str


def moment(wall: float, now: float) -> Moment:
    """Return a time as it is shown: the clock alone where it is of today.

    Args:
        wall: Seconds since 1970.
        now: Likewise, the present.
    """
    utc = dt.datetime.fromtimestamp(wall, dt.UTC)
    local, today = utc.astimezone(), dt.datetime.fromtimestamp(now, dt.UTC).astimezone()
    pattern = "%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M"
    return Moment(
        local.strftime(pattern),
        utc.strftime("%Y-%m-%d %H:%M:%S UTC"),
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@dataclass(frozen=True, slots=True)
class Words:
    """Writes what comes from elsewhere: names of rooms and agents, numbers, exceptions.

    Args:
        mask: How numbers are shown.
        wall: Seconds since 1970.
    """

    mask: NumberMask = field(default_factory=NumberMask)
    wall: Callable[[], float] = time.time

    def number(self, number: str) -> str:
        """Return a phone number as it may be shown.

        Args:
            number: It.
        """
        return _bounded(printable(self.mask.number(number)), _LONGEST_NAME)

    def name(self, text: str) -> str:
        """Return a name or a sentence, in one line and with its numbers as they may be shown.

        Args:
            text: It.
        """
        return _bounded(printable(self.mask.text(text)).replace("\n", " "))

    def label(self, text: str) -> str:
        """Return a name as a list shows it: likewise, and shorter.

        Args:
            text: It.
        """
        return _bounded(self.name(text), _LONGEST_NAME)

    def text(self, text: str) -> str:
        """Return a text of several lines, such as a traceback, likewise.

        Args:
            text: It.
        """
        return printable(self.mask.text(text))

    def moment(self, wall: float) -> Moment:
        """Return a time as it is shown now.

        Args:
            wall: Seconds since 1970.
        """
        return moment(wall, self.wall())


def _bounded(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

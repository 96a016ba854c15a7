"""Times of a command line, such as `30m`."""

from __future__ import annotations

import re

from onhook.errors import PolicyError

__all__ = ["seconds_of"]

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]+)?)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(option: str, text: str) -> float:
    """Return the seconds of a time.

    Args:
        option: The option, for the message.
        text: A number and one of the letters s, m, h and d.

    Raises:
        PolicyError: It is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise PolicyError(f"{option} {text!r} is no time: give 30m, 2h or 1d")
    return float(found[1]) * _UNITS[found[2]]

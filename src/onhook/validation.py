"""Durations that make sense, checked where they are written down."""

from __future__ import annotations

import math

from onhook.errors import PolicyError

__all__ = ["require_count", "require_seconds", "require_text"]


def require_seconds(owner: str, name: str, value: object, *, zero: bool = False) -> None:
    """Refuse a duration that is no finite, positive number of seconds.

    Args:
        owner: The class that has the setting, for the message.
        name: The setting.
        value: What was got.
        zero: Whether 0 is allowed.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and (value > 0 or (zero and value == 0)):  # type: ignore[arg-type, operator]
        return
    least = "at least 0" if zero else "more than 0"
    raise PolicyError(f"{owner}({name}={value!r}): give a number of seconds, {least} and finite")


def require_count(owner: str, name: str, value: object) -> None:
    """Refuse a number of times that is no whole number of at least 1.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return
    raise PolicyError(f"{owner}({name}={value!r}): give a whole number, at least 1")


def require_text(owner: str, name: str, value: object, what: str) -> None:
    """Refuse what is no text, or is blank.

    Args:
        owner: The class that has the setting, for the message.
        name: The setting.
        value: What was got.
        what: What to give instead.

    Raises:
        PolicyError: Names the setting, what was got and what to give.
    """
    if not (isinstance(value, str) and value.strip()):
        raise PolicyError(f"{owner}({name}={value!r}): give {what}")

"""Which onhook this is, and which of two is newer."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

__all__ = ["is_newer", "our_version"]


def our_version() -> str:
    """Return the version of the onhook that runs, or an empty string for one not installed."""
    try:
        return version("onhook")
    except PackageNotFoundError:
        return ""


def is_newer(mine: str, theirs: str) -> bool:
    """Return whether one version is newer than another; what is no version is newer than none.

    Args:
        mine: For example `"0.2.0"`.
        theirs: For example `"0.1.0"`.
    """
    return _release(mine) > _release(theirs)


def _release(text: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", text[:40])
    return tuple(int(part) for part in found.group().split(".")) if found else ()

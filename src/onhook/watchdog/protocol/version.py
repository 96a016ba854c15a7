"""Which onhook this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["our_version"]


def our_version() -> str:
    """Return the version of the onhook that runs, or an empty string for one not installed."""
    try:
        return version("onhook")
    except PackageNotFoundError:
        return ""

"""The kill switch: with it off, a guarded entrypoint is the bare entrypoint."""

from __future__ import annotations

import os

__all__ = ["is_active", "set_active"]

_OFF = ("0", "false", "no", "off")
_active: bool | None = None


def is_active() -> bool:
    """Return whether guards act. `ONHOOK_ACTIVE=0` in the environment turns all of them off."""
    if _active is not None:
        return _active
    return os.environ.get("ONHOOK_ACTIVE", "1").strip().lower() not in _OFF


def set_active(active: bool | None) -> None:
    """Turn every guard of this process on or off, for tests and for the worst night.

    Jobs run in processes of their own: from outside, set `ONHOOK_ACTIVE=0` for the worker.

    Args:
        active: On or off; `None` goes back to what the environment says.
    """
    global _active  # noqa: PLW0603 - one switch for one process is the point
    _active = active

"""What the environment says of every guard: whether it is there at all, and whether it acts."""

from __future__ import annotations

import logging

from onhook import settings
from onhook.errors import ConfigurationError
from onhook.incident import Mode

__all__ = ["is_active", "mode_of_job", "set_active"]

logger = logging.getLogger("onhook")

_active: bool | None = None


def is_active() -> bool:
    """Return whether guards act. `ONHOOK_ACTIVE=0` in the environment turns all of them off."""
    if _active is not None:
        return _active
    return settings.is_on()


def set_active(active: bool | None) -> None:
    """Turn every guard of this process on or off, for tests and for the worst night.

    Jobs run in processes of their own: from outside, set `ONHOOK_ACTIVE=0` for the worker.

    Args:
        active: On or off; `None` goes back to what the environment says.
    """
    global _active  # noqa: PLW0603 - one switch for one process is the point
    _active = active


def mode_of_job(given: Mode) -> Mode:
    """Return how a job is guarded: the environment, by which a fleet is run, has the last word.

    Args:
        given: What `guard` was given.
    """
    try:
        return settings.mode() or given
    except ConfigurationError as error:  # it was set after the start, where it would have raised
        logger.error("%s; this job is only observed", error)  # noqa: TRY400 - no traceback helps
        return "observe"

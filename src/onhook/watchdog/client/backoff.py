"""How long a job waits before it calls a watchdog again. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["LONGEST", "SHORTEST", "pause"]

SHORTEST = 0.05
"""Seconds before the first call again: a watchdog that restarts covers its jobs soon."""
LONGEST = 3.0
"""Seconds between calls, however long no watchdog has welcomed the job."""
_SPREAD = 0.5
"""Part of a pause by which it is longer at random, so that a host's jobs do not call as one."""


def pause(attempts: int, draw: Callable[[], float] = random.random) -> float:
    """Return the seconds until the next attempt to connect.

    Args:
        attempts: How many were made since a watchdog last kept the job; 0 waits for nothing.
        draw: Returns a number from 0 to 1.
    """
    if attempts <= 0:
        return 0.0
    doubled: float = SHORTEST * 2.0 ** min(attempts - 1, 16)
    return min(doubled * (1 + _SPREAD * draw()), LONGEST)

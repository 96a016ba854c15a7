"""How long an inner ring's rescue may take, as it has said itself."""

from __future__ import annotations

import math

__all__ = ["bounded_rescue", "seconds_of"]

_LONGEST = 300.0
"""Seconds; no inner ring's rescue lasts longer, whatever it says."""
_UNTOLD = 60.0
"""Seconds, where it says nothing that makes sense."""


def seconds_of(mark: str) -> float:
    """Return how long a rescue may take, by the mark on its agent: `INCIDENT;SECONDS`.

    Args:
        mark: The attribute `onhook.rescue`.
    """
    try:
        return bounded_rescue(float(mark.rpartition(";")[2]))
    except ValueError:
        return _UNTOLD


def bounded_rescue(seconds: float) -> float:
    """Return a rescue's seconds within what is believed.

    Args:
        seconds: As they were told.
    """
    return _UNTOLD if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST)

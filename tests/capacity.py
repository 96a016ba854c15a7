"""How many live calls this machine holds at once, as fast as it is at this moment.

A call takes 12 to 30 % of a core where a million rounds of a loop take `_NOMINAL` seconds. A shared
machine can be a quarter as fast for minutes: then as many calls as usual would starve one another,
and what was judged would be the machine.
"""

from __future__ import annotations

import os
import time

__all__ = ["calls_at_once"]

_NOMINAL = 0.045
_ROUNDS = 1_000_000


def calls_at_once(most: int) -> int:
    """Return how many calls to hold at once, two at least.

    Args:
        most: On two cores that nobody else uses.
    """
    cores = (os.cpu_count() or 1) / 2
    return max(2, min(most, int(most * cores * _NOMINAL / min(_seconds() for _ in range(3)))))


def _seconds() -> float:
    began, total = time.perf_counter(), 0
    for number in range(_ROUNDS):
        total += number
    return time.perf_counter() - began

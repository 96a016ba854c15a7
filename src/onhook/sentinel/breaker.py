"""Keeps from asking a server that fails: nothing is judged while it answers errors."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Breaker"]


class Breaker:
    """Opens after some failures in a row, for longer each time; one success closes it.

    Args:
        failures: How many in a row open it.
        pause: Seconds for which it is open the first time.
        longest: Seconds for which it is open at most.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        pause: float = 1.0,
        longest: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._pause = pause
        self._longest = longest
        self._clock = clock
        self._count = 0
        self._until = float("-inf")

    @property
    def open(self) -> bool:
        """Whether nothing should be asked now."""
        return self._clock() < self._until

    def succeeded(self) -> None:
        """The server has answered."""
        self._count, self._until = 0, float("-inf")

    def failed(self) -> None:
        """The server has answered an error, or not at all."""
        self._count += 1
        if (times := self._count - self._failures) >= 0:
            pause = min(self._pause * 2.0 ** min(times, 10), self._longest)
            self._until = self._clock() + pause

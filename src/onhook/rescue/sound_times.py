"""When the caller heard something of a rung: words of ours, or another agent."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["SoundTimes"]


class SoundTimes:
    """Keeps from when until when a rung was heard.

    Args:
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._ended: float | None = None

    def heard(self, heard: bool) -> None:
        """Take that it is heard from now on, or no more."""
        if heard and self._began is None:
            self._began = self._clock()
        elif not heard and self._began is not None and self._ended is None:
            self._ended = self._clock()

    @property
    def times(self) -> tuple[float, float] | None:
        """From when until when; `None` where it was not heard."""
        if self._began is None:
            return None
        return self._began, self._clock() if self._ended is None else self._ended

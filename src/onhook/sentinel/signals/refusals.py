"""Why a webhook or a lease is not believed: counted for each reason, and logged now and then."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from onhook.errors import OnhookError

__all__ = ["Reason", "Refusals", "RefusedError"]

logger = logging.getLogger("onhook")

_QUIET = 60.0
"""Seconds between two lines about the same reason: whoever forges requests does not fill a disk."""


class Reason(StrEnum):
    """Why a request is not believed."""

    FORGED = "forged"
    """Not signed, or not with a key of ours, or its body is not the one that was signed."""
    STALE = "stale"
    """Signed well, but too long ago, or in the future."""
    REPLAYED = "replayed"
    """Seen before; the server's own repetition of what it had no answer to looks the same."""
    OVERSIZED = "oversized"
    """Larger than anything the server or a watchdog sends."""
    MALFORMED = "malformed"
    """Signed well, and not what such a request looks like."""


class RefusedError(OnhookError):
    """A webhook or a lease that is not believed.

    Args:
        reason: Its kind.
        detail: What was wrong, and what to do; without secrets and without the request's content.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Refusals:
    """Counts what was refused, and says so in the log at most once a minute for each reason.

    Args:
        source: What is refused, for the log: `"webhook"`.
        clock: Monotonic seconds.
    """

    def __init__(self, source: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._logged: dict[Reason, tuple[float, int]] = {}
        self.counts: Counter[Reason] = Counter()

    def add(self, error: RefusedError) -> None:
        """Count one.

        Args:
            error: Why it was refused.
        """
        reason = error.reason
        self.counts[reason] += 1
        at, count = self._logged.get(reason, (float("-inf"), 0))
        now = self._clock()
        if now - at < _QUIET:
            return
        unsaid = self.counts[reason] - count - 1
        more = f" ({unsaid} more since the last such line)" if unsaid else ""
        level = logging.DEBUG if reason is Reason.REPLAYED else logging.WARNING
        logger.log(level, "a %s was refused: %s%s", self._source, error, more)
        self._logged[reason] = (now, self.counts[reason])

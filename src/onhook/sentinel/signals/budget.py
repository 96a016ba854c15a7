"""How many requests the sentinel sends to LiveKit's API, and for what."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from onhook.errors import PolicyError

__all__ = ["Budget", "Use"]

_BURST = 0.2
"""What may be spent at once, as a part of a minute's budget; the rest comes evenly, so that no
minute, wherever it begins, sees more than the whole."""
_RESERVE, _CONFIRMING = 0.4, 0.2
"""What looking round leaves of that for what cannot wait, and questions to agents for what is asked
before a rescue."""
_LIST = 1.0
"""What everything leaves for the next list of rooms, so that the list is within the budget too."""


class Use(StrEnum):
    """What a request is for."""

    ROOMS = "rooms"
    """The list of all rooms. Never held back: its rate is the poll's."""
    RESCUE = "rescue"
    """What is asked for a rung, a second dispatch or a scanner's removal. Never held back: a caller
    waits."""
    CONFIRM = "confirm"
    """What is asked before anything is done. May use up the reserve."""
    PROBE = "probe"
    """Proof of life. Leaves half of the reserve alone."""
    MEMBERS = "members"
    """The list of a suspect's participants. Leaves the reserve alone."""
    CANARY = "canary"
    """A dispatch that nobody waits for. Leaves the reserve alone."""


_ALWAYS = frozenset((Use.ROOMS, Use.RESCUE))
_LEFT_ALONE = {Use.CONFIRM: 0.0, Use.PROBE: _CONFIRMING}
"""What each leaves, as a part of what may be spent at once; the others `_RESERVE`."""


class Budget:
    """A token bucket with a reserve.

    Rescues are counted and never refused; what they take beyond the bucket is paid back by what can
    wait. All the rest, the lists of rooms included, stays within the budget in every minute.

    Args:
        per_minute: Requests. LiveKit Cloud documents 1,000 a minute for a project, its users' own
            included.
        clock: Monotonic seconds.

    Raises:
        PolicyError: It is less than 10.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        if per_minute < 10:
            raise PolicyError(f"Budget({per_minute!r}): give at least 10 requests a minute")
        self._most = per_minute * _BURST
        self._rate = (per_minute - self._most) / 60
        self._clock = clock
        self._tokens = self._most
        self._at = clock()
        self._held_until = float("-inf")
        self.per_minute = per_minute
        self.spent: Counter[Use] = Counter()
        """Requests sent, by what they were for."""
        self.held_back: Counter[Use] = Counter()
        """Requests that were not sent for want of budget, by what they would have been for."""

    @property
    def left(self) -> float:
        """Requests that could be sent at once; below 0 while a rescue's are paid back."""
        self._fill()
        return self._tokens

    @property
    def spare(self) -> float:
        """Requests that could be sent at once beside the reserve for what cannot wait."""
        return self.free(Use.MEMBERS)

    def free(self, use: Use) -> float:
        """Return how many requests could be sent at once for something that may be refused.

        Args:
            use: What they are for.
        """
        return max(0.0, self.left - self._floor(use))

    def confirm(self, requests: int = 1) -> bool:
        """Take what is asked before a rescue; never refused, since a caller waits.

        What is beyond the budget counts as the rescue's.

        Args:
            requests: How many.
        """
        return self.spend(Use.CONFIRM, requests) or self.spend(Use.RESCUE, requests)

    def spend(self, use: Use, requests: int = 1) -> bool:
        """Take some requests out of the budget; return whether they may be sent.

        Args:
            use: What they are for.
            requests: How many.
        """
        self._fill()
        if use not in _ALWAYS and not self._has(use, requests):
            self.held_back[use] += requests
            return False
        # bounded: after the largest of rescues looking round goes on within half a minute
        self._tokens = max(self._tokens - requests, -self._most)
        self.spent[use] += requests
        return True

    def hold(self, seconds: float) -> None:
        """Send nothing for a while but rescues and the list of rooms: the server wants it so.

        Args:
            seconds: For how long from now on.
        """
        self._held_until = max(self._held_until, self._clock() + seconds)

    def _has(self, use: Use, requests: int) -> bool:
        if self._at < self._held_until:
            return False
        return self._tokens - requests >= self._floor(use)

    def _floor(self, use: Use) -> float:
        return max(_LIST, self._most * _LEFT_ALONE.get(use, _RESERVE))

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + max(now - self._at, 0.0) * self._rate, self._most)
        self._at = now

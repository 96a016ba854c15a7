"""Which calls a sentinel may begin to rescue while it cannot ask the others. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from onhook.sentinel.fleet.claims import Claim, Finished, Refused

__all__ = ["SoloRules", "remember"]

_K = TypeVar("_K")
_V = TypeVar("_V")

_REMEMBERED = 10_000


class SoloRules:
    """Remembers what the others had, and whose turn a call is. See the table in `failover`.

    Args:
        owner: This sentinel's name.
        clock: Seconds of a monotonic clock.
        first: Seconds that a call waits for the others while shared is gone.
        stagger: Seconds that each next sentinel waits longer.
        rescue: Seconds that a whole rescue of another may take.
    """

    def __init__(
        self,
        owner: str,
        *,
        clock: Callable[[], float],
        first: float,
        stagger: float,
        rescue: float,
    ) -> None:
        self.owner = owner
        self.rescue = rescue
        self.members: tuple[str, ...] = ()
        self._clock = clock
        self._first = first
        self._stagger = stagger
        self._finished: dict[str, Finished] = {}
        self._others: dict[str, Refused] = {}
        self._asked: dict[str, float] = {}

    @property
    def alone(self) -> bool:
        """Whether this was the only sentinel when shared was last reached."""
        return self.members == (self.owner,)

    def note(self, call: str, answer: Claim | Refused) -> None:
        """Remember what shared said of a call."""
        self._others.pop(call, None)
        if isinstance(answer, Claim):
            self._finished.pop(call, None)
        elif answer.finished is not None:
            remember(self._finished, call, answer.finished)
        elif answer.owner != self.owner:
            remember(self._others, call, answer)

    def finished(self, call: str) -> Finished | None:
        """Return the outcome of a call, as far as this sentinel has seen it."""
        return self._finished.get(call)

    def finish(self, call: str, finished: Finished) -> None:
        """Remember an outcome of our own."""
        remember(self._finished, call, finished)

    def forget(self, call: str) -> None:
        """Forget how a call ended: it has a new incident."""
        self._finished.pop(call, None)

    def reached(self) -> None:
        """Begin anew: the others can be asked."""
        self._asked.clear()

    def refusal(self, call: str, beyond: int) -> Refused | None:
        """Say why a call is not begun here; `None` where it may be.

        Args:
            call: Key of the call.
            beyond: Token of a finished incident that the asker knows of.
        """
        now = self._clock()
        if (finished := self._finished.get(call)) and finished.token > beyond:
            return Refused(finished.owner, now, finished)
        if other := self._others.get(call):
            over = other.until + self.rescue
            if now < over:
                return Refused(other.owner, over)
        if self.alone:
            return None
        turn = self._turn(call, now)
        return Refused(self.other(call), turn) if now < turn else None

    def other(self, call: str) -> str:
        """Name the sentinel that a call is left to, if any is known."""
        return next((name for name in self._order(call) if name != self.owner), "")

    def _turn(self, call: str, now: float) -> float:
        order = self._order(call)
        place = order.index(self.owner) if self.owner in order else len(order)
        wait = self._first + place * self._stagger
        asked = self._asked.get(call, now)
        if now > asked + wait + self.rescue:  # that was another time
            asked = now
        remember(self._asked, call, asked)
        return asked + wait

    def _order(self, call: str) -> Sequence[str]:
        """Return the sentinels in an order that is the same for all, and another for each call."""

        def place(name: str) -> bytes:
            return hashlib.sha256(f"{call}\n{name}".encode()).digest()

        return sorted(self.members, key=place)


def remember(known: dict[_K, _V], key: _K, value: _V) -> None:
    """Keep the newest so many.

    Args:
        known: Where.
        key: Of what.
        value: What.
    """
    known.pop(key, None)
    known[key] = value
    if len(known) > _REMEMBERED:
        del known[next(iter(known))]

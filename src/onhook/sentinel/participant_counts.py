"""What the server counts in a room against who is known: a difference asks for a list."""

from __future__ import annotations

from collections.abc import Iterable

from onhook.call import LegKind
from onhook.sentinel.stays import Stay

__all__ = ["ParticipantCounts"]

_LAG = 6.0
"""Seconds for which the server's count may be an old one: it is brought up to date every 5 s
(livekit-server `rtc/room.go`, `roomUpdateInterval`)."""
_COUNTED = (LegKind.CALLER, LegKind.HUMAN)
"""Agents and recorders are in no count (livekit-server `rtc/room.go`, `updateProto`)."""


class ParticipantCounts:
    """Compares the server's count with the counts that who is known would give.

    Args:
        now: Seconds of the sentinel's clock.
    """

    __slots__ = ("_explained", "_least", "_most", "_since", "told")

    def __init__(self, now: float) -> None:
        self.told: int | None = None
        """The server's count; `None` where it told none."""
        self._explained: int | None = None
        """A count that a list has already explained."""
        self._least = self._most = 0
        self._since = now

    @property
    def doubtful(self) -> bool:
        """Whether the server counts others than are known, and no list has explained that."""
        if self.told is None or self.told == self._explained:
            return False
        return not self._least <= self.told <= self._most

    def tell(self, count: int | None, stays: Iterable[Stay], now: float) -> None:
        """Take the server's count.

        Args:
            count: It.
            stays: Who is known.
            now: Seconds of the sentinel's clock.
        """
        self.told = count
        if now - self._since > _LAG:
            self._least, self._most = _counts(stays)

    def changed(self, stays: Iterable[Stay], now: float) -> None:
        """Take that others are known now: for a while the server may count as before.

        Args:
            stays: Who is known.
            now: Seconds of the sentinel's clock.
        """
        before = self._least, self._most
        least, most = _counts(stays)
        self._least, self._most = min(least, before[0]), max(most, before[1])
        if (self._least, self._most) != before:
            self._since = now

    def explain(self) -> None:
        """Take that everybody was listed."""
        self._explained = self.told


def _counts(stays: Iterable[Stay]) -> tuple[int, int]:
    """Return the least and the most that the server can count of somebody."""
    counted = [stay.member.leg.kind in _COUNTED for stay in stays]
    return sum(counted), len(counted)

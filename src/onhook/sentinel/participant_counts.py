"""What the server counts in a room against who is known: a difference asks for a list."""

from __future__ import annotations

from collections.abc import Iterable

from onhook.call import LegKind
from onhook.sentinel.stays import Stay

__all__ = ["LAG", "ParticipantCounts"]

LAG = 6.0
"""Seconds for which the server's count may be an old one: it is brought up to date every 5 s
(livekit-server `rtc/room.go`, `roomUpdateInterval`)."""
_COUNTED = (LegKind.CALLER, LegKind.HUMAN)
"""Agents and recorders are in no count of participants, but in that of publishers (livekit-server
`rtc/room.go`, `updateProto`)."""
_PUBLISHERS = (LegKind.CALLER, LegKind.AGENT)
"""A phone's leg publishes from its ringing on, an agent when its session begins, whether or not a
webhook has told of it; for one that does not a list is asked for once."""


class ParticipantCounts:
    """Compares the server's counts with those that who is known would give.

    Args:
        now: Seconds of the sentinel's clock.
    """

    __slots__ = (
        *("_explained", "_known", "_least", "_most", "_since", "_voices"),
        *("publishers", "told"),
    )

    def __init__(self, now: float) -> None:
        self.told: int | None = None
        """The server's count of participants; `None` where it told none."""
        self.publishers: int | None = None
        """Its count of those who have published something; `None` likewise."""
        self._explained: tuple[int | None, int | None] = (None, None)
        """Counts that a list has already explained."""
        self._known = (0, 0, 0)
        """The least and the most that the server can count of those who are known, and how many of
        them can be heard."""
        self._least = self._most = self._voices = 0
        """The same where it may count as before: a wider range, and fewer voices."""
        self._since = now

    @property
    def doubtful(self) -> bool:
        """Whether the server counts others than are known, and no list has explained that."""
        if self.told is None or (self.told, self.publishers) == self._explained:
            return False
        return self.fewer_publishers or not self._least <= self.told <= self._most

    @property
    def fewer_publishers(self) -> bool:
        """Whether fewer publish than are known to be there: most likely somebody has gone."""
        return self.publishers is not None and self.publishers < self._voices

    @property
    def uncounted_voice(self) -> bool:
        """Whether somebody publishes whom the server does not count: most likely an agent."""
        return (self.publishers or 0) > (self.told or 0)

    def tell(self, count: int | None, publishers: int | None, now: float) -> None:
        """Take the server's counts.

        Args:
            count: Of participants.
            publishers: Of those who have published something.
            now: Seconds of the sentinel's clock.
        """
        self.told, self.publishers = count, publishers
        if now - self._since > LAG:
            self._least, self._most, self._voices = self._known

    def changed(self, stays: Iterable[Stay], now: float) -> None:
        """Take that others are known now: for a while the server may count as before.

        Args:
            stays: Who is known.
            now: Seconds of the sentinel's clock.
        """
        known = least, most, heard = _counts(stays)
        wide = min(least, self._least), max(most, self._most)
        if (*wide, heard) != (self._least, self._most, self._known[2]):
            self._since = now
        self._known = known
        self._least, self._most = wide
        self._voices = min(heard, self._voices)

    def explain(self) -> None:
        """Take that everybody was listed."""
        self._explained = self.told, self.publishers


def _counts(stays: Iterable[Stay]) -> tuple[int, int, int]:
    """Return the least and the most that the server can count of somebody, and the publishers."""
    legs = [stay.member.leg for stay in stays]
    return (
        sum(leg.kind in _COUNTED for leg in legs),
        len(legs),
        sum(leg.audible or leg.kind in _PUBLISHERS for leg in legs),
    )

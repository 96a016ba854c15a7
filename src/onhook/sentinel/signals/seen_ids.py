"""What was seen lately, bounded in number and in time."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["SeenIds"]


class SeenIds:
    """Remembers ids for a while; the oldest go first where there are too many.

    Args:
        keep: Seconds.
        most: Ids; about 150 bytes each.
    """

    def __init__(self, *, keep: float, most: int) -> None:
        self._keep = keep
        self._most = most
        self._first: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._first)

    def add(self, name: str, now: float) -> float | None:
        """Remember an id; return when it was first seen, or `None` where it is new.

        Args:
            name: The id.
            now: Seconds of any clock that is always the same one.
        """
        first = self._first
        while first:
            oldest = next(iter(first))
            # a clock that was set back makes an entry of the future: kept, it would stay for ever
            if len(first) <= self._most and abs(now - first[oldest]) <= self._keep:
                break
            del first[oldest]
        if (before := first.get(name)) is not None:
            return before
        first[name] = now
        if len(first) > self._most:
            first.popitem(last=False)
        return None

    def forget(self, name: str) -> None:
        """Forget an id: what came with it was not taken after all, and may come again.

        Args:
            name: The id.
        """
        self._first.pop(name, None)

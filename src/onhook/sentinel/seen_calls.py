"""For which calls something has been done already, bounded."""

from __future__ import annotations

from collections import OrderedDict

from onhook.sentinel.call_view import CallView

__all__ = ["SeenCalls", "call_key"]

_MOST = 20_000


def call_key(view: CallView) -> str:
    """Return by what all sentinels know a call: one life of its room."""
    return view.sid or f"room:{view.room}"


class SeenCalls:
    """Remembers calls; the oldest are forgotten where there are too many."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def add(self, view: CallView) -> bool:
        """Remember a call; return whether it is new."""
        key = call_key(view)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return True

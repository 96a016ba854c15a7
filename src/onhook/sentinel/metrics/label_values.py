"""Values of labels that come from outside: so many are told apart, and no more."""

from __future__ import annotations

__all__ = ["OTHER", "LabelValues"]

OTHER = "other"
_LONGEST = 64


class LabelValues:
    """Bounds the values of a label, such as the names of agents.

    Args:
        most: How many are told apart; whatever comes after these is `other`.
    """

    def __init__(self, most: int = 50) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """Return what a value is as a label; the first ones that come stay as they are.

        Args:
            value: It; empty where it is not known.
        """
        if not value:
            return "unknown"
        if len(value) > _LONGEST or not value.isprintable():
            return OTHER
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value

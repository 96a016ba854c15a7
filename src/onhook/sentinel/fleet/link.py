"""Whether what the sentinels share can be reached, as a person and the health page are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Link", "LinkHealth"]


class Link(StrEnum):
    """Whether what is shared can be reached."""

    REACHED = "reached"
    GONE = "gone"
    BACK = "back"
    """Reached again; the sentinels tell what they owe before anything new is begun."""


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """How a sentinel stands to its fleet.

    Args:
        link: How it is now.
        since: Since when, in seconds since 1970.
        why: What is wrong, in one sentence; empty while all is well.
        members: The sentinels that are known to live, or did when shared was last reached.
        owed: Calls that are kept here until shared is back.
        told: Claims and outcomes that were owed, and told later.
        superseded: Those that did not count any more: another had the call.
    """

    link: Link
    since: float
    why: str = ""
    members: tuple[str, ...] = ()
    owed: int = 0
    told: int = 0
    superseded: int = 0

    @property
    def degraded(self) -> bool:
        """Whether this sentinel is on its own."""
        return self.link is not Link.REACHED

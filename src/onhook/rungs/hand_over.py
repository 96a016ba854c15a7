"""`HandOver`: leave the caller with a person who is in the room already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from onhook.errors import OnhookError
from onhook.incident import Ending
from onhook.rungs.base import Climb
from onhook.validation import require_seconds, require_text

__all__ = ["HandOver"]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Leave the caller with a human in the room, a warm transfer that is already half done.

    Nobody is called or moved: it fails where no such person is there, and the next rung follows.

    Args:
        to: Identity of the one person who may be given the caller; anybody when omitted.
        deadline: Seconds for looking who is there.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
    """

    name: ClassVar[str] = "hand_over"
    terminal: ClassVar[bool] = False
    settles: ClassVar[Ending | None] = "taken_over"

    to: str | None = None
    deadline: float = 5.0

    def __post_init__(self) -> None:
        if self.to is not None:
            require_text("HandOver", "to", self.to, "a participant's identity, or leave it out")
        require_seconds("HandOver", "deadline", self.deadline)

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        humans = [leg.identity for leg in (await climb.whole()).humans]
        if self.to is not None and self.to in humans:
            return f"left the caller with {self.to!r}"
        if self.to is None and humans:
            return f"left the caller with {humans[0]!r}"
        there = ", ".join(map(repr, humans)) or "no person"
        raise OnhookError(f"nobody to hand over to: wanted {self.to or 'anybody'}, found {there}")

"""`Keep`: leave the call as it is, on purpose, and say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from onhook.errors import PolicyError
from onhook.incident import Ending
from onhook.rungs.base import Climb

__all__ = ["Keep"]


@dataclass(frozen=True, slots=True)
class Keep:
    """Do nothing.

    Args:
        reason: Why, for the journal.

    Raises:
        PolicyError: The reason is no text.
    """

    name: ClassVar[str] = "keep"
    terminal: ClassVar[bool] = True
    settles: ClassVar[Ending | None] = "kept"

    reason: str = "the policy says so"

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str):
            raise PolicyError(f"Keep(reason={self.reason!r}): give the reason as text")

    @property
    def deadline(self) -> float:
        """Nothing is done, so nothing takes time."""
        return 1.0

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        return f"left the call as it is: {self.reason}"

"""What a rung is: one step of a ladder, with a deadline and an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from onhook.line import Line
from onhook.types import Call, Ending, Incident

__all__ = ["Climb", "Rung"]


@dataclass(frozen=True, slots=True)
class Climb:
    """What a rung is given.

    Args:
        line: The call's line.
        incident: What happened.
        call: The freshest picture of the call; `call.complete` says whether it can be relied on.
        resumed: Whether an earlier rescuer began this rung, and nobody knows how far it came.
    """

    line: Line
    incident: Incident
    call: Call
    resumed: bool = False


class Rung(Protocol):
    """One step of a ladder: a frozen dataclass whose fields are its settings."""

    name: ClassVar[str]
    """The word for it in JSON, in logs and in reports."""
    terminal: ClassVar[bool]
    """Whether the rung stands last: nothing could follow it."""
    settles: ClassVar[Ending | None]
    """How the incident ends when the rung succeeds; `None` when the next rung follows."""

    @property
    def deadline(self) -> float:
        """Seconds for the whole rung, retries included."""
        ...

    async def climb(self, climb: Climb) -> str:
        """Act; return one sentence on what was done.

        Raises:
            Exception: The rung failed. An `ApiError` that is `passing` is retried when the rung is
                terminal.
        """
        ...

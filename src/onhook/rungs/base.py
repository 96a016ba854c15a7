"""What a rung is: one step of a ladder, with a deadline and an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from onhook.call import Call
from onhook.incident import Ending, Incident
from onhook.line import Line

__all__ = ["Climb", "Rung"]


@dataclass(frozen=True, slots=True)
class Climb:
    """What a rung is given.

    Args:
        line: The call's line.
        incident: What happened.
        call: The freshest picture of the call; `call.complete` says whether it can be relied on.
        resumed: An earlier rescuer began this rung, and its outcome is not known: what must not be
            done twice is only looked after.
        heard: Is to be told `True` when the caller begins to hear what this rung gives them, and
            `False` when that has ended; `None` where nobody wants to know.
    """

    line: Line
    incident: Incident
    call: Call
    resumed: bool = False
    heard: Callable[[bool], None] | None = None

    async def whole(self) -> Call:
        """Return a picture that can be relied on.

        Raises:
            OnhookError: Nobody can be asked.
        """
        return self.call if self.call.complete else await self.line.picture()


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

"""`Retry`: run the entrypoint again, in the same job."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from onhook.errors import EntrypointStalledError, OnhookError
from onhook.incident import Ending
from onhook.rungs.base import Climb
from onhook.validation import require_count, require_seconds

__all__ = ["Retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Run the entrypoint again, where no session had started yet.

    The caller waits in silence meanwhile: put a `Say` before it, and keep the deadline short.

    Args:
        attempts: How many times.
        backoff: Seconds before the first attempt; doubled before each further one.
        deadline: Seconds for everything. An attempt is up when it publishes audio.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
    """

    name: ClassVar[str] = "retry"
    terminal: ClassVar[bool] = False
    settles: ClassVar[Ending | None] = "recovered"

    attempts: int = 1
    backoff: float = 0.5
    deadline: float = 10.0

    def __post_init__(self) -> None:
        require_count("Retry", "attempts", self.attempts)
        require_seconds("Retry", "backoff", self.backoff, zero=True)
        require_seconds("Retry", "deadline", self.deadline)

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        pause = self.backoff
        errors: list[str] = []
        for _ in range(self.attempts):
            await asyncio.sleep(pause)
            pause *= 2
            try:
                done = await climb.line.retry()
            except EntrypointStalledError as error:
                errors.append(str(error))
            except OnhookError:
                raise
            except Exception as error:  # noqa: BLE001 - an entrypoint raises anything
                errors.append(repr(error))
            else:
                return f"attempt {len(errors) + 1} of {self.attempts}: {done}"
        raise OnhookError(f"{len(errors)} further attempts failed; last: {errors[-1]}")

"""The rungs that release the line: remove the callers, delete the room, or whichever is right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from onhook.call import Call
from onhook.errors import ApiError
from onhook.incident import Ending
from onhook.line import Line
from onhook.rungs.base import Climb
from onhook.validation import require_seconds

__all__ = ["DeleteRoom", "HangUp", "RemoveCallers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """A rung that ends the call for its callers.

    Args:
        deadline: Seconds for everything, retries included.

    Raises:
        PolicyError: The deadline is no positive number.
    """

    terminal: ClassVar[bool] = True
    settles: ClassVar[Ending | None] = "released"

    deadline: float = 10.0

    def __post_init__(self) -> None:
        require_seconds(type(self).__name__, "deadline", self.deadline)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCallers(_Release):
    """Remove the SIP legs, and nobody else. Needs the grant `roomAdmin`."""

    name: ClassVar[str] = "remove_callers"

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        return await _remove_callers(climb.line, await climb.whole())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRoom(_Release):
    """Delete the room: everybody in it is disconnected. Needs the grant `roomCreate`."""

    name: ClassVar[str] = "delete_room"

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        return await _delete_room(climb.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp(_Release):
    """Remove the callers while another human is in the room, else delete the room.

    When the server refuses the deletion for good, the callers are removed instead.
    """

    name: ClassVar[str] = "hang_up"

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        # never blindly: somebody who must stay may be in a room that could not be seen
        call = await climb.whole()
        if call.humans:
            return await _remove_callers(climb.line, call)
        try:
            return await _delete_room(climb.line)
        except ApiError as error:
            if error.passing:
                raise
            done = await _instead(climb.line, call, error)
            return f"{done}, because the room could not be deleted: {error}"


async def _remove_callers(line: Line, call: Call) -> str:
    results = await asyncio.gather(
        *(line.remove(leg.identity) for leg in call.callers), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result
    names = ", ".join(leg.identity for leg in call.callers) or "nobody"
    return f"removed {names}"


async def _instead(line: Line, call: Call, refusal: ApiError) -> str:
    try:
        return await _remove_callers(line, call)
    except ApiError as error:
        both = f"{refusal}; and {error}"
        raise ApiError(both, code=error.code, passing=error.passing) from error


async def _delete_room(line: Line) -> str:
    await line.delete_room()
    return "deleted the room"

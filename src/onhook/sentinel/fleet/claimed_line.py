"""A call's line that acts only for who holds the call."""

from __future__ import annotations

from collections.abc import Sequence

from onhook.call import Call
from onhook.line import Announcement, Dispatch, Line, Referral
from onhook.sentinel.fleet.held_claim import HeldClaim

__all__ = ["ClaimedLine"]


class ClaimedLine:
    """A `Line` whose every act is preceded by a fresh look at the claim; looking needs none.

    By then the engine's intent is kept beside the claim, in the same request. What lasts is stopped
    when the claim is lost. See `held_claim` for what this cannot do.

    Args:
        line: The line.
        held: The claim.

    Raises:
        ClaimLostError: From each act: the call is another's. It is an `OnhookError`.
        FleetUnavailableError: From each act: nobody can tell whose the call is.
    """

    def __init__(self, line: Line, held: HeldClaim) -> None:
        self._line = line
        self._held = held

    async def picture(self) -> Call:
        """See `Line.picture`."""
        return await self._line.picture()

    async def check(self) -> None:
        """See `Line.check`."""
        await self._line.check()

    async def origin(self) -> str | None:
        """See `Line.origin`."""
        return await self._line.origin()

    async def dispatches(self) -> Sequence[Dispatch]:
        """See `Line.dispatches`."""
        return await self._line.dispatches()

    async def left(self, identity: str) -> None:
        """See `Line.left`."""
        async with self._held.acting():
            await self._line.left(identity)

    async def heard(self, dispatch: str) -> str:
        """See `Line.heard`."""
        async with self._held.acting():
            return await self._line.heard(dispatch)

    async def say(self, announcement: Announcement) -> str:
        """See `Line.say`."""
        await self._held.assure()
        async with self._held.acting():
            return await self._line.say(announcement)

    async def remove(self, identity: str) -> None:
        """See `Line.remove`."""
        await self._held.assure()
        async with self._held.acting():
            await self._line.remove(identity)

    async def delete_room(self) -> None:
        """See `Line.delete_room`."""
        await self._held.assure()
        async with self._held.acting():
            await self._line.delete_room()

    async def transfer(self, identity: str, referral: Referral) -> None:
        """See `Line.transfer`."""
        await self._held.assure()
        async with self._held.acting():
            await self._line.transfer(identity, referral)

    async def dispatch(self, agent_name: str, metadata: str) -> str:
        """See `Line.dispatch`."""
        await self._held.assure()
        async with self._held.acting():
            return await self._line.dispatch(agent_name, metadata)

    async def withdraw(self, dispatch: str) -> None:
        """See `Line.withdraw`."""
        await self._held.assure()
        async with self._held.acting():
            await self._line.withdraw(dispatch)

    async def retry(self) -> str:
        """See `Line.retry`."""
        await self._held.assure()
        async with self._held.acting():
            return await self._line.retry()

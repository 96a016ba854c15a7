"""Proof of life through the room itself: the server calls a method that the guard registered."""

from __future__ import annotations

import asyncio
import logging

from livekit import api

from onhook.closing import Closing
from onhook.errors import ApiError
from onhook.livekit.alive_calls import AliveCalls
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.livekit.proof import Proof
from onhook.tasks import end

__all__ = ["ProofOfLife"]

logger = logging.getLogger("onhook")

_LISTING = 0.8
"""Seconds for the list of who is in the room, which is asked for at the same time."""

_MARGIN = 0.2
"""Seconds beyond the method's own deadline for the request itself. livekit-server 1.13 answers 408
for a participant that is blocked, and nothing at all for one that is not in the room."""

_UNANSWERED = (408, 504)
"""What a server says of a method that nobody has answered; 401 or 500 say nothing of anybody."""


class ProofOfLife(Closing):
    """Asks participants whether they live. Leave the context to close the connection.

    Args:
        credentials: Server and key.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._api = ServerApi(credentials, timeout=_LISTING)
        self._calls = AliveCalls(credentials)

    async def aclose(self) -> None:
        """Close the connection; safe to repeat."""
        await self._api.aclose()
        await self._calls.aclose()

    async def of(self, room: str, identity: str, *, deadline: float) -> Proof:
        """Ask one participant. A single failure proves nothing.

        Args:
            room: Room name.
            identity: The participant.
            deadline: Seconds for its answer; keep it below 3.
        """
        asking = asyncio.create_task(self._answers(room, identity, deadline))
        try:
            there = {p.identity for p in await self._api.participants(room)}
        except ApiError:
            said = await asking
            return said if said is Proof.ALIVE else Proof.UNKNOWN
        else:
            said = await asking
        finally:
            await end(asking)
        return said if said is Proof.ALIVE or identity in there else Proof.ABSENT

    async def _answers(self, room: str, identity: str, deadline: float) -> Proof:
        """Call the method; only a call that was put through proves something by its silence."""
        try:
            await self._calls.call(room, identity, seconds=deadline, margin=_MARGIN)
        except TimeoutError:
            return Proof.SILENT
        except api.ServerError as error:
            return Proof.SILENT if error.status in _UNANSWERED else Proof.UNKNOWN
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no proof
            logger.debug("%r in room %r did not prove that it lives: %r", identity, room, error)
            return Proof.UNKNOWN
        return Proof.ALIVE

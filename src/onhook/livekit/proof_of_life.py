"""Proof of life through the room itself: the server calls a method that the guard registered."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
from livekit import api
from livekit.protocol.room import PerformRpcRequest

from onhook.closing import Closing
from onhook.errors import ApiError
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.api_requests import perform_rpc
from onhook.livekit.proof import ALIVE_METHOD, Proof
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
        self._credentials = credentials
        self._api = ServerApi(credentials, timeout=_LISTING)
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connection; safe to repeat."""
        await self._api.aclose()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

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
        if self._session is None:
            self._session = aiohttp.ClientSession()
        request = PerformRpcRequest(
            room=room,
            destination_identity=identity,
            method=ALIVE_METHOD,
            response_timeout_ms=int(deadline * 1000),
        )
        try:
            async with asyncio.timeout(deadline + _MARGIN):
                await perform_rpc(self._session, self._credentials.url, self._token(room), request)
        except TimeoutError:
            return Proof.SILENT
        except api.ServerError as error:
            return Proof.SILENT if error.status in _UNANSWERED else Proof.UNKNOWN
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no proof
            logger.debug("%r in room %r did not prove that it lives: %r", identity, room, error)
            return Proof.UNKNOWN
        return Proof.ALIVE

    def _token(self, room: str) -> str:
        c = self._credentials
        if c.token and not c.key:
            return c.token
        grants = api.VideoGrants(room_admin=True, room=room)
        return api.AccessToken(c.key, c.secret).with_grants(grants).to_jwt()

"""Calls of the method that a guard registers, by the server's API: what proves that it lives."""

from __future__ import annotations

import asyncio

import aiohttp
from livekit import api
from livekit.protocol.room import PerformRpcRequest

from onhook.closing import Closing
from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.api_requests import perform_rpc
from onhook.livekit.proof import ALIVE_METHOD

__all__ = ["AliveCalls"]


class AliveCalls(Closing):
    """One connection for the calls. Leave the context to close it.

    Args:
        credentials: Server and key.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connection; safe to repeat."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, room: str, identity: str, *, seconds: float, margin: float) -> None:
        """Call the method once; return when it has answered.

        Args:
            room: Room name.
            identity: The participant.
            seconds: How long the server waits for its answer.
            margin: Seconds beyond that for the request itself.

        Raises:
            TimeoutError: The server has not answered either.
            ServerError: The server refuses, or nobody has answered.
            Exception: Whatever else went wrong; it proves nothing.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession()
        request = PerformRpcRequest(
            room=room,
            destination_identity=identity,
            method=ALIVE_METHOD,
            response_timeout_ms=round(seconds * 1000),
        )
        async with asyncio.timeout(seconds + margin):
            await perform_rpc(self._session, self._credentials.url, self._token(room), request)

    def _token(self, room: str) -> str:
        c = self._credentials
        if c.token and not c.key:
            return c.token
        grants = api.VideoGrants(room_admin=True, room=room)
        return api.AccessToken(c.key, c.secret).with_grants(grants).to_jwt()

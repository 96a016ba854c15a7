"""Proof of life in three states: the server calls a method of an agent, whoever made it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

import aiohttp
from livekit import api
from livekit.protocol.room import PerformRpcRequest

from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.api_requests import perform_rpc
from onhook.livekit.framework.rpc_answers import RpcError, rpc_error
from onhook.livekit.proof import ALIVE_METHOD
from onhook.sentinel.call_view import ProbeResult

__all__ = ["RESPONSE_TIMEOUT", "Prober", "twice"]

logger = logging.getLogger("onhook")

RESPONSE_TIMEOUT = 2.5
"""Seconds. A missing acknowledgement is told after 2.0 s and a missing response after these, so
that with less the two could not be told apart; with more than 3 a room that is gone could not."""
_MARGIN = 0.4
"""Seconds beyond that for the request: a server says after 3 s that nobody is there at all."""
_AT_ONCE = 32
"""Questions under way; a server with a thousand dead agents is not asked about all at once."""

_RESULTS = {
    RpcError.ANSWERED: ProbeResult.ANSWERED,
    RpcError.NO_RESPONSE: ProbeResult.BLOCKED,
    RpcError.NO_ACKNOWLEDGEMENT: ProbeResult.GONE,
    RpcError.UNKNOWN: ProbeResult.UNKNOWN,
}


class Prober:
    """Asks agents whether they live. Leave the context to close the connection.

    One answer proves that an agent lives; one missing answer proves nothing. An agent that knows
    nothing of onhook answers as long as its process and its link live, blocked event loop or not.

    Args:
        credentials: Server and key.
        spend: Takes one request out of the budget; returns whether there was one. A question for
            which there is none is not asked, and its result is `UNKNOWN`.
    """

    def __init__(
        self, credentials: Credentials, *, spend: Callable[[], bool] = lambda: True
    ) -> None:
        self._credentials = credentials
        self._spend = spend
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Prober:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; safe to repeat."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, room: str, identity: str) -> ProbeResult:
        """Ask one agent once; takes 2.9 s at most, once it is its turn.

        Args:
            room: Room name.
            identity: The agent's.
        """
        async with self._slots:
            if not self._spend():
                return ProbeResult.UNKNOWN
            return await self._asked(room, identity)

    async def _asked(self, room: str, identity: str) -> ProbeResult:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        request = PerformRpcRequest(
            room=room,
            destination_identity=identity,
            method=ALIVE_METHOD,
            response_timeout_ms=round(RESPONSE_TIMEOUT * 1000),
        )
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT + _MARGIN):
                await perform_rpc(self._session, self._credentials.url, self._token(room), request)
        except api.ServerError as error:
            result = _RESULTS[rpc_error(error)]
            if result is ProbeResult.UNKNOWN:
                logger.debug("%r in room %r: nothing is proved by %r", identity, room, error)
            return result
        except Exception as error:  # noqa: BLE001 - whatever it is, it proves nothing
            logger.debug("%r in room %r could not be asked: %r", identity, room, error)
            return ProbeResult.UNKNOWN
        return ProbeResult.ANSWERED

    def _token(self, room: str) -> str:
        c = self._credentials
        if c.token and not c.key:
            return c.token
        grants = api.VideoGrants(room_admin=True, room=room)
        return api.AccessToken(c.key, c.secret).with_grants(grants).to_jwt()


async def twice(ask: Callable[[], Awaitable[ProbeResult]]) -> ProbeResult:
    """Ask an agent up to two times; return what both agree on, else what the better one says.

    Args:
        ask: Asks once.

    Returns:
        `GONE` only where neither was acknowledged, `BLOCKED` where neither was answered, else
        `ANSWERED`, or `UNKNOWN` where either proves nothing.
    """
    first = await ask()
    if first in (ProbeResult.ANSWERED, ProbeResult.UNKNOWN):
        return first
    second = await ask()
    if second in (ProbeResult.ANSWERED, ProbeResult.UNKNOWN):
        return second
    return ProbeResult.GONE if first is second is ProbeResult.GONE else ProbeResult.BLOCKED

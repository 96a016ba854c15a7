"""Proof of life in three states: the server calls a method of an agent, whoever made it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from livekit import api

from onhook.closing import Closing
from onhook.livekit.alive_calls import AliveCalls
from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.rpc_answers import RpcError, rpc_error
from onhook.sentinel.call_view import ProbeResult

__all__ = ["RESPONSE_TIMEOUT", "Prober"]

logger = logging.getLogger("onhook")

RESPONSE_TIMEOUT = 2.5
"""Seconds. A missing acknowledgement is told after 2.0 s and a missing response after these, so
that with less the two could not be told apart; with more than 3 a room that is gone could not."""
_MARGIN = 1.0
"""Seconds beyond that for the request: a server says after 3 s that nobody is there at all."""
_AT_ONCE = 32
"""Questions under way; a server with a thousand dead agents is not asked about all at once."""

_RESULTS = {
    RpcError.ANSWERED: ProbeResult.ANSWERED,
    RpcError.NO_RESPONSE: ProbeResult.BLOCKED,
    RpcError.NO_ACKNOWLEDGEMENT: ProbeResult.GONE,
    RpcError.NOBODY: ProbeResult.ABSENT,
    RpcError.UNKNOWN: ProbeResult.UNKNOWN,
}


class Prober(Closing):
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
        self._calls = AliveCalls(credentials)
        self._spend = spend
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def aclose(self) -> None:
        """Close the connection; safe to repeat."""
        await self._calls.aclose()

    async def ask(
        self, room: str, identity: str, *, spend: Callable[[], bool] | None = None
    ) -> ProbeResult:
        """Ask one agent once; takes 3.5 s at most, once it is its turn.

        Args:
            room: Room name.
            identity: The agent's.
            spend: Takes the request out of the budget, where that is not done as usual.
        """
        async with self._slots:
            if not (spend or self._spend)():
                return ProbeResult.UNKNOWN
            return await self._asked(room, identity)

    async def _asked(self, room: str, identity: str) -> ProbeResult:
        try:
            await self._calls.call(room, identity, seconds=RESPONSE_TIMEOUT, margin=_MARGIN)
        except api.ServerError as error:
            result = _RESULTS[rpc_error(error)]
            if result is ProbeResult.UNKNOWN:
                logger.debug("%r in room %r: nothing is proved by %r", identity, room, error)
            return result
        except Exception as error:  # noqa: BLE001 - whatever it is, it proves nothing
            logger.debug("%r in room %r could not be asked: %r", identity, room, error)
            return ProbeResult.UNKNOWN
        return ProbeResult.ANSWERED

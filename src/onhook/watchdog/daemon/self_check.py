"""Whether the watchdog could rescue anybody: asked of the server before a caller needs it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from onhook.errors import ApiError
from onhook.livekit.credentials import Credentials

__all__ = ["SelfCheck"]

logger = logging.getLogger("onhook")

_TIMEOUT = 5.0
_AGAIN, _SOON = 300.0, 30.0
"""Seconds until the next question where the last answer was good, and where it was not."""
_ROOM = "onhook-self-check"
"""A room that need not exist: the server looks at the key first."""
_NO_WORDS = "callers are released without words: LIVEKIT_TOKEN alone cannot sign a join token"


class SelfCheck:
    """Asks the server from time to time whether it takes our key.

    Args:
        credentials: Server and key.
        prepare: Loads what a request needs, beside the loop.
        changed: Is told whenever `unable` says something else.
    """

    def __init__(
        self,
        credentials: Credentials,
        prepare: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self._credentials = credentials
        self._prepare = prepare
        self._changed = changed
        self.unable = ""
        """Why nobody could be rescued; empty as long as nothing is known against it."""
        self.limits = "" if credentials.key and credentials.secret else _NO_WORDS
        """What a rescue would lack; empty where it lacks nothing."""

    async def watch(self) -> None:
        """Ask at once and again and again, for ever."""
        await self._prepare()
        if self.limits:
            logger.warning("%s", self.limits)
            return  # what a token may do shows only in the room that it is for
        while True:
            pause = _AGAIN if await self._ask() else _SOON
            await asyncio.sleep(pause)

    async def _ask(self) -> bool:
        """Ask once; a server that cannot be reached says nothing about the key."""
        from onhook.livekit.api import REFUSED, ServerApi  # noqa: PLC0415 - loaded by `prepare`

        try:
            async with ServerApi(self._credentials, timeout=_TIMEOUT) as api:
                await api.participants(_ROOM)
        except ApiError as error:
            if error.code in REFUSED:
                self._learn(f"the key is refused: {error}")
            return False
        self._learn("")
        return True

    def _learn(self, unable: str) -> None:
        if unable == self.unable:
            return
        self.unable = unable
        if unable:
            logger.error("nobody can be rescued: %s", unable)
        else:
            logger.info("the key is accepted again")
        self._changed()

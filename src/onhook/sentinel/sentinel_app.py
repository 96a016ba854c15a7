"""A sentinel as an ASGI application, which lives as long as the application it is mounted into."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from onhook import tasks
from onhook.errors import ApiError, ConfigurationError
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.sentinel.sentinel_settings import SentinelSettings
from onhook.sentinel.service import Sentinel

__all__ = ["SentinelApp"]

logger = logging.getLogger("onhook")
_NUMBERS = 5.0
"""Seconds for each of the two requests by which the project's own numbers are asked for."""
_END = 5.0
"""Seconds for what is under way to be finished when the application ends."""
_ANEW = 5.0
"""Seconds from the end of one that has broken to the next: whatever broke it may be there still."""


class SentinelApp:
    """A sentinel inside an application of yours: `onhook sentinel run` without its own server.

    It watches from the start of the application's lifespan to its end, which takes 5 s at most::

        sentinel = SentinelApp()
        app = FastAPI(lifespan=sentinel.lifespan)
        app.mount("/onhook", sentinel)

    In a lifespan of your own write `async with sentinel.lifespan():`. Served by itself, it needs
    nothing around it. Where no lifespan runs, every request is answered 503. One that breaks is
    logged at level ERROR, and followed by another. Each process of a
    server with several (`--workers`) has a sentinel of its own: give them one Redis.

    Args:
        given: What it is told; as the environment says when omitted. The address where it would
            listen counts for nothing.
        credentials: Server and key; `LIVEKIT_*` of the environment when omitted.
    """

    def __init__(
        self, given: SentinelSettings | None = None, credentials: Credentials | None = None
    ) -> None:
        self._given = given
        self._credentials = credentials
        self._begun = False
        self._running: Sentinel | None = None
        self._alone = Starlette(lifespan=self.lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan where it is served by itself."""
        if scope["type"] == "lifespan":
            await self._alone(scope, receive, send)
        elif self._running is not None:
            await self._running.app(scope, receive, send)
        elif scope["type"] == "http":
            wrong = "the sentinel does not run: its lifespan must be that of the application"
            # livekit-server sends a webhook again that was answered so
            answer = JSONResponse({"status": wrong}, status_code=503)
            await answer(scope, receive, send)
        else:
            await WebSocketClose()(scope, receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Watch calls until the context is left.

        Args:
            app: The application whose lifespan it is; not used.

        Raises:
            OnhookError: It cannot begin.
        """
        if self._begun:
            raise ConfigurationError(
                "this SentinelApp runs already: give one application its lifespan, once"
            )
        self._begun = True
        told, begun = asyncio.Event(), asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._watch(told, begun), name="onhook-sentinel")
        try:
            await begun
            yield
        finally:
            told.set()
            try:
                await asyncio.wait((task,), timeout=_END)  # what it does has deadlines of its own
            finally:
                await tasks.end(task)
                self._begun = False

    async def _watch(self, told: asyncio.Event, begun: asyncio.Future[None]) -> None:
        """Run a sentinel until told to end, and another where one breaks."""
        while not told.is_set():
            try:
                await self._watch_once(told, begun)
            except Exception as error:
                if not begun.done():
                    begun.set_exception(error)
                    return
                logger.exception(
                    "the sentinel has ended: it begins anew in %g s, and answers 503 till then",
                    _ANEW,
                )
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), _ANEW)

    async def _watch_once(self, told: asyncio.Event, begun: asyncio.Future[None]) -> None:
        given = SentinelSettings.from_env() if self._given is None else self._given
        credentials = self._credentials or Credentials.from_env()
        given = await _with_own_numbers(given, credentials)
        async with Sentinel(given, credentials) as sentinel:
            self._running = sentinel
            try:
                if not begun.done():
                    begun.set_result(None)
                await sentinel.run_until(told, listens=False)
            finally:
                self._running = None


async def _with_own_numbers(given: SentinelSettings, credentials: Credentials) -> SentinelSettings:
    """Add the project's own numbers, to which no plan may send a caller, where none are given."""
    if given.own:
        return given
    try:
        async with ServerApi(credentials, timeout=_NUMBERS) as server:
            return dataclasses.replace(given, own=await server.trunk_numbers())
    except ApiError as error:
        logger.warning("no fallback is checked for being a number of one's own: %s", error)
        return given

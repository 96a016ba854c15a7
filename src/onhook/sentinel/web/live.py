"""What has changed, sent to open pages as server-sent events (WHATWG HTML, 9.2).

Each part of the page is looked at by one task while somebody has it open; what has changed is
rendered once, and all who have it open get the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from onhook.tasks import end

__all__ = ["HEARTBEAT", "MOST", "EventStream", "Feed", "LiveUpdates", "TooManyError", "fingerprint"]

logger = logging.getLogger("onhook")

MOST = 64
"""Pages that are open at a time; what is more is told to come again."""
HEARTBEAT = 15.0
"""Seconds without a change after which something is sent all the same: a proxy, or a client, that
hears nothing for long takes the connection for dead."""
_SEND = 10.0
"""Seconds for a client to take what is sent."""
_LONGEST = 3600.0
"""Seconds for which a stream lasts; the page then connects again."""
_BEAT = b": alive\n\n"

Look = Callable[[], Awaitable[object]]
Render = Callable[[Any, str], str]


def fingerprint(shown: object) -> str:
    """Return by what a page says which state of a part it shows.

    Args:
        shown: What `Feed.look` returned; frozen, so that its `repr` tells all of it.
    """
    return hashlib.sha256(repr(shown).encode("utf-8", "replace")).hexdigest()[:16]


class TooManyError(Exception):
    """There are as many open pages as there may be."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A part of the page.

    Args:
        name: Of what.
        look: Returns what it shows now; two that are equal look alike.
        render: Makes HTML of that, below a root path.
        period: Seconds between two looks.
    """

    name: str
    look: Look
    render: Render
    period: float


@dataclass(slots=True)
class _Open:
    """A feed that somebody has open."""

    feed: Feed
    shown: object = None
    state: str = ""
    clients: int = 0
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    rendered: dict[str, bytes] = field(default_factory=dict)


class LiveUpdates:
    """Sends what has changed to all who have a page open.

    Args:
        most: How many may be open at a time.
        heartbeat: Seconds; see `HEARTBEAT`.
    """

    def __init__(self, *, most: int = MOST, heartbeat: float = HEARTBEAT) -> None:
        self._most = most
        self._heartbeat = heartbeat
        self._open: dict[str, _Open] = {}
        self._clients = 0
        self._ended = False
        self.renders = 0
        """How often something was rendered."""

    @property
    def clients(self) -> int:
        """How many pages are open."""
        return self._clients

    @contextlib.asynccontextmanager
    async def stream(
        self, feed: Feed, root: str, seen: str, *, seconds: float = _LONGEST
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Lend a stream of events: each change since what the page has, from now on.

        Args:
            feed: What is open.
            root: Path below which the page is.
            seen: The fingerprint of what the page shows already; empty for nothing.
            seconds: How long it lasts at most.

        Raises:
            TooManyError: There are too many already.
        """
        if self._clients >= self._most or self._ended:
            raise TooManyError
        self._clients += 1
        found = self._open.get(feed.name)
        if found is None:
            found = self._open[feed.name] = _Open(feed)
            found.task = asyncio.create_task(self._watch(found), name=f"onhook-page-{feed.name}")
        found.clients += 1
        try:
            yield self._events(found, root, seen, time.monotonic() + min(seconds, _LONGEST))
        finally:
            self._clients -= 1
            found.clients -= 1
            if not found.clients:
                self._open.pop(feed.name, None)
                if found.task is not None:
                    await end(found.task)

    async def aclose(self) -> None:
        """End all streams."""
        self._ended = True
        for found in self._open.values():
            _tell(found)
        await end(*(found.task for found in self._open.values() if found.task is not None))

    async def _events(
        self, found: _Open, root: str, seen: str, until: float
    ) -> AsyncIterator[bytes]:
        yield _BEAT  # the client knows at once that it is connected
        while not self._ended and (left := until - time.monotonic()) > 0:
            changed = found.changed
            if found.state not in ("", seen):
                seen = found.state
                yield self._rendered(found, root)
                continue
            try:
                async with asyncio.timeout(min(self._heartbeat, left)):
                    await changed.wait()
            except TimeoutError:
                yield _BEAT

    async def _watch(self, found: _Open) -> None:
        """Look again and again; a look that fails is logged, and the page stays as it was."""
        while True:
            try:
                shown = await found.feed.look()
                if not found.state or shown != found.shown:
                    found.shown, found.state = shown, fingerprint(shown)
                    found.rendered.clear()
                    _tell(found)
            except Exception:
                logger.exception("the page of %s could not be brought up to date", found.feed.name)
            await asyncio.sleep(found.feed.period)

    def _rendered(self, found: _Open, root: str) -> bytes:
        data = found.rendered.get(root)
        if data is None:
            self.renders += 1
            html = found.feed.render(found.shown, root)
            lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
            data = f"id: {found.state}\n{lines}\n".encode()
            if len(found.rendered) < 8:  # roots are few, unless somebody plays
                found.rendered[root] = data
        return data


def _tell(found: _Open) -> None:
    """Wake all who wait for a change."""
    found.changed.set()
    found.changed = asyncio.Event()


class EventStream(Response):
    """An answer that goes on: sends events until the client goes or does not take them any more.

    Args:
        events: Lends the stream; see `LiveUpdates.stream`.
        headers: Further headers.
    """

    def __init__(
        self,
        events: contextlib.AbstractAsyncContextManager[AsyncIterator[bytes]],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers=headers, media_type="text/event-stream")
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks for it."""
        try:
            async with self._events as events:
                sending = asyncio.create_task(self._send(events, send))
                leaving = asyncio.create_task(_left(receive))
                try:
                    await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await end(sending, leaving)
        except TooManyError:
            await Response(status_code=503, headers={"Retry-After": "10"})(scope, receive, send)

    async def _send(self, events: AsyncIterator[bytes], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for data in events:
            async with asyncio.timeout(_SEND):
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

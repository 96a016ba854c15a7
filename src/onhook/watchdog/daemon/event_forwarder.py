"""Tells a sentinel what happens in the rescues of this host: its jobs' guards' and the watchdog's.

At least once: what was not taken is sent again, with pauses that grow; the sentinel keeps an event
that is told twice once. Nothing here keeps a rescue waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

from onhook.errors import OnhookError
from onhook.rescue.events import Opened, RescueEvent
from onhook.watchdog.daemon.signed_post import SentinelUnreachableError, SignedPost
from onhook.watchdog.protocol.sentinel_messages import EventReport, ToldEvent, to_body

__all__ = ["EventForwarder"]

logger = logging.getLogger("onhook")

_WAITING = 2_000
"""Events that wait to be taken; of more the oldest are lost, and counted."""
_AT_ONCE, _BYTES = 50, 512 * 1024
"""Events and bytes of one request; the sentinel takes twice that."""
_ROOMS = 2_000
"""Incidents whose rooms are remembered: only the first event of an incident names it."""
_TIMEOUT = 3.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LAST = 0.9
"""Seconds for what still waits when the watchdog ends."""


class EventForwarder:
    """A sink of rescue events that sends them to a sentinel; somebody has to run `watch`.

    Args:
        post: Sends signed requests.
        host: The watchdog's own id.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        post: SignedPost,
        host: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._post = post
        self._host = host
        self._sleep = sleep
        self._waiting: deque[ToldEvent] = deque()
        self._rooms: OrderedDict[str, str] = OrderedDict()
        self._more = asyncio.Event()
        self._failing = ""
        self.sent = 0
        """Events that the sentinel has taken."""
        self.lost = 0
        """Events that were given up: too many waited, or the sentinel refused them."""

    @property
    def state(self) -> str:
        """How it stands, for a person."""
        told = f"{self.sent} told, {len(self._waiting)} waiting, {self.lost} lost"
        return f"{told}: {self._failing}" if self._failing else told

    @property
    def waiting(self) -> int:
        """How many wait to be sent."""
        return len(self._waiting)

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`: takes an event at once; it is sent soon."""
        if isinstance(event, Opened):
            self._rooms[event.incident] = event.call.room
            if len(self._rooms) > _ROOMS:
                self._rooms.popitem(last=False)
        try:
            told = ToldEvent.of(self._rooms.get(event.incident, ""), event)
        except OnhookError as error:
            self.lost += 1
            logger.warning("the sentinel is not told of an event: %s", error)
            return
        self._waiting.append(told)
        if len(self._waiting) > _WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._more.set()

    async def watch(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Send what there is, for ever; raises nothing but its cancellation.

        Args:
            prepare: Loads what a request needs, beside the loop.
        """
        if not self._post.can_sign:
            logger.warning("the sentinel is told of no rescue: LIVEKIT_TOKEN alone cannot sign")
            return
        try:
            await prepare()
            pause = _FIRST_PAUSE
            while True:
                if not self._waiting:
                    self._more.clear()
                    await self._more.wait()
                if await self._send(_TIMEOUT):
                    pause = _FIRST_PAUSE
                else:
                    await self._sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except Exception:
            logger.exception("the sentinel is told of no rescue any more; all else goes on")

    async def aclose(self) -> None:
        """Send what still waits, within a second."""
        if not (self._waiting and self._post.can_sign):
            return
        try:
            async with asyncio.timeout(_LAST):
                while self._waiting and await self._send(_LAST):
                    pass
        except TimeoutError:
            logger.debug("the sentinel was too slow for the last events")
        except Exception:
            logger.exception("the sentinel could not be told of the last events")
        if self._waiting:
            logger.warning("the sentinel was not told of %d events", len(self._waiting))

    async def _send(self, timeout: float) -> bool:
        """Send some of what waits; return whether that is done with."""
        batch = self._batch()
        body = to_body(EventReport(self._host, batch))
        try:
            await self._post.post("/incidents", body, timeout)
        except SentinelUnreachableError as error:
            self._learn(str(error))
            if not error.final:
                return False
            self.lost += len(batch)
        else:
            self._learn("")
            self.sent += len(batch)
        for told in batch:
            if self._waiting and self._waiting[0] is told:  # else it was given up meanwhile
                self._waiting.popleft()
        return True

    def _batch(self) -> tuple[ToldEvent, ...]:
        batch: list[ToldEvent] = []
        size = 0
        for told in self._waiting:
            size += len(told.event)
            if batch and (len(batch) >= _AT_ONCE or size > _BYTES):
                break
            batch.append(told)
        return tuple(batch)

    def _learn(self, why: str) -> None:
        """Log a change, and no repetition."""
        if why != self._failing:
            self._failing = why
            if why:
                logger.warning("the sentinel at %s takes no events: %s", self._post.url, why)
            else:
                logger.info("the sentinel at %s takes events again", self._post.url)

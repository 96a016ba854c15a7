"""What one sentinel hears by webhook, all of them learn: a Redis stream that each reads whole.

Each sentinel reads the stream from a place of its own (`XREAD`), without a consumer group. A group
gives every entry to one of its members; here every sentinel needs every entry, since each keeps the
whole table of calls: to go on at once when another dies, and alone when Redis is gone. It would
take a group for each sentinel, which nobody removes when it dies, and what a group adds, namely
that an entry is delivered again until it is acknowledged, serves nothing here: the table takes
sightings in any order and number, and the poll mends what was lost.

Told are facts that came in by webhook or lease; what a poll lists stays with the one that polls
(see `leader`). A sentinel takes its own sightings at once, and leaves them out when they come back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from onhook.sentinel.fleet.claims import FleetUnavailableError
from onhook.sentinel.fleet.redis_client import RedisClient
from onhook.sentinel.fleet.sighting_codec import SightingError, aged, decode, encode
from onhook.sentinel.sightings import Sighting

__all__ = ["SightingStream"]

logger = logging.getLogger("onhook")

_WAITING = 5_000
_AT_ONCE = 200
_READ = 500
_PAUSE = 0.5
_KEPT = 86_400
_ORIGINS = 1_000


class SightingStream:
    """Tells the other sentinels what this one hears, and hears what they tell.

    Somebody has to run `write` and `read`. While Redis is gone, nothing is told or heard; what
    could not be told by then is left out and counted: the poll finds it.

    Args:
        client: The server.
        receive: Is given what the others tell.
        fleet: Name of the fleet; see `RedisClaims`.
        origin: This sentinel's name, another one for each start.
        limit: Entries that the stream keeps, about.
        backlog: Seconds of the past that are read at the start.
        clock: Seconds of a monotonic clock.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        client: RedisClient,
        receive: Callable[[Sighting], None],
        *,
        fleet: str = "default",
        origin: str,
        limit: int = 10_000,
        backlog: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._receive = receive
        self._key = f"{{onhook:{fleet}}}:sightings"
        self._origin = origin
        self._limit = limit
        self._backlog = backlog
        self._clock = clock
        self._sleep = sleep
        self._waiting: deque[tuple[int, str, bytes]] = deque(maxlen=_WAITING)
        self._more = asyncio.Event()
        self._number = 0
        self._cursor = ""
        self._offset = 0.0
        self._numbers: dict[str, int] = {}
        self.told = 0
        """Sightings that were told."""
        self.left_out = 0
        """Those that could not be: too many, too long, or Redis was gone."""
        self.heard = 0
        """Sightings of others that were taken in."""
        self.lost = 0
        """Sightings of others that never came."""

    def tell(self, sighting: Sighting) -> None:
        """Tell the others, soon.

        Args:
            sighting: What this sentinel has heard; it has taken it in already. A list stays here.
        """
        self._number += 1
        try:
            kind, body = encode(sighting)
        except SightingError as error:
            self.left_out += 1
            logger.debug("not told to the other sentinels: %s", error)
            return
        if len(self._waiting) == _WAITING:
            self.left_out += 1  # the oldest
        self._waiting.append((self._number, kind, body))
        self._more.set()

    async def write(self) -> None:
        """Tell what is to be told, until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                try:
                    await self._client.commands([self._entry(*one) for one in batch])
                except FleetUnavailableError:
                    self.left_out += len(batch) + len(self._waiting)
                    self._waiting.clear()
                    await self._sleep(_PAUSE)
                else:
                    self.told += len(batch)

    async def read(self) -> None:
        """Hear what the others tell, until cancelled."""
        while True:
            try:
                if not self._cursor:
                    await self._begin()
                await self._hear()
            except FleetUnavailableError:
                await self._sleep(_PAUSE)

    async def _begin(self) -> None:
        """Begin a little in the past; the server's clock numbers the entries."""
        now = await self._server_time()
        self._offset = now - self._clock()
        self._cursor = f"{max(0.0, now - self._backlog) * 1000:.0f}-0"

    async def _server_time(self) -> float:
        seconds, micros = await self._client.command("TIME")
        return int(seconds) + int(micros) / 1e6

    async def _hear(self) -> None:
        wait = self._client.read_timeout / 2
        found = await self._client.command(
            *("XREAD", "COUNT", _READ, "BLOCK", max(1, round(wait * 1000))),
            *("STREAMS", self._key, self._cursor),
            wait=wait,
        )
        for entry, fields in _entries(found):
            self._cursor = entry
            self._take(entry, fields)

    def _take(self, entry: str, fields: dict[bytes, bytes]) -> None:
        origin = fields.get(b"from", b"").decode("utf-8", "replace")
        if origin == self._origin:
            return
        try:
            number = int(fields[b"n"])
            sighting = decode(fields[b"kind"].decode("utf-8", "replace"), fields[b"body"])
        except (KeyError, ValueError) as error:
            self.lost += 1
            logger.debug("what another sentinel told is no sighting: %r", error)
            return
        self._count(origin, number)
        age = self._clock() + self._offset - int(entry.partition("-")[0]) / 1000
        if (left := aged(sighting, age)) is not None:
            self.heard += 1
            self._receive(left)

    def _count(self, origin: str, number: int) -> None:
        """Notice what is missing: cut off at the stream's end, or never told."""
        before = self._numbers.pop(origin, number - 1)
        self._numbers[origin] = max(number, before)
        if len(self._numbers) > _ORIGINS:
            del self._numbers[next(iter(self._numbers))]
        if number > before + 1:
            self.lost += number - before - 1

    def _entry(self, number: int, kind: str, body: bytes) -> Sequence[str | bytes | int]:
        names = ("from", self._origin, "n", number, "kind", kind, "body", body)
        return ("XADD", self._key, "MAXLEN", "~", self._limit, "*", *names)


def _entries(found: Any) -> Sequence[tuple[str, dict[bytes, bytes]]]:
    """Return the entries of an answer to XREAD (RESP2): of one stream, or of none."""
    rows = [] if not found else found[0][1]
    return [(entry.decode(), fields) for entry, fields in rows if fields]

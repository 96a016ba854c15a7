"""Webhooks as livekit-server posts them, signed; some may be lost, come twice, late or shuffled."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import jwt
from google.protobuf.json_format import MessageToJson
from livekit.protocol.webhook import WebhookEvent

from onhook.tasks import end
from tests.sentinel.load.http_connection import HttpConnection

__all__ = ["ON_TIME", "UNRELIABLE", "Delivery", "Letter", "WebhookPost", "signed", "written"]

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Delivery:
    """How webhooks are delivered.

    Args:
        dropped: Part that never comes.
        twice: Part that comes twice.
        delay: Seconds by which each is late at most; different delays shuffle them.
    """

    dropped: float = 0.0
    twice: float = 0.0
    delay: float = 0.0


ON_TIME = Delivery()
UNRELIABLE = Delivery(dropped=0.3, twice=0.3, delay=3.0)


@dataclass(frozen=True, slots=True)
class Letter:
    """One webhook as it goes over the wire: what was signed, and by which token."""

    body: bytes
    token: str


def written(event: WebhookEvent, key: str, secret: str, now: float) -> Letter:
    """Write and sign an event (livekit-protocol `webhook/resource_url_notifier.go`).

    Args:
        event: It.
        key: API key.
        secret: Its secret.
        now: Seconds since 1970.
    """
    return signed(MessageToJson(event, indent=None).encode(), key, secret, now)


def signed(body: bytes, key: str, secret: str, now: float, *, ttl: int = 300) -> Letter:
    """Sign a body, for so many seconds."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": key, "nbf": int(now), "exp": int(now) + ttl, "sha256": digest}
    return Letter(body, jwt.encode(claims, secret, algorithm="HS256"))


class WebhookPost:
    """Takes the events of `ServerRooms`, and delivers what is due.

    Args:
        key: API key.
        secret: Its secret.
        how: How they are delivered.
        seed: Decides which are lost, and which are late.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        how: Delivery = ON_TIME,
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.how = how
        self._key, self._secret = key, secret
        self._chance = random.Random(seed)  # noqa: S311 - tests
        self._clock = clock
        self._order = itertools.count()
        self._due: list[tuple[float, int, Letter]] = []
        self.answers: Counter[int] = Counter()
        """Answers by their status; 0 where none came."""

    def take(self, event: WebhookEvent) -> None:
        """Take an event that has happened now."""
        if not self._is_lost():
            self._add(written(event, self._key, self._secret, self._clock()))

    def take_body(self, body: bytes) -> None:
        """Take the body of a webhook whose event has happened now."""
        if not self._is_lost():
            self._add(signed(body, self._key, self._secret, self._clock()))

    def _is_lost(self) -> bool:
        return self._chance.random() < self.how.dropped

    def _add(self, letter: Letter) -> None:
        now, how, chance = self._clock(), self.how, self._chance
        for _ in range(2 if chance.random() < how.twice else 1):
            late = chance.uniform(0, how.delay) if how.delay else 0.0
            heapq.heappush(self._due, (now + late, next(self._order), letter))

    def due(self) -> list[Letter]:
        """Return what is to be delivered now, in its order."""
        now, found = self._clock(), []
        while self._due and self._due[0][0] <= now:
            found.append(heapq.heappop(self._due)[2])
        return found

    async def deliver(self, connection: HttpConnection) -> None:
        """Deliver what is due now, one after the other."""
        for letter in self.due():
            await self._post(connection, letter)

    async def run(self, port: int) -> None:
        """Deliver for ever, several at a time, until cancelled.

        Args:
            port: Where to, on loopback.
        """
        queue: asyncio.Queue[Letter] = asyncio.Queue(1_000)
        posting = [asyncio.create_task(self._postman(port, queue)) for _ in range(_AT_ONCE)]
        try:
            while True:
                for letter in self.due():
                    await queue.put(letter)
                await asyncio.sleep(0.01)
        finally:
            await end(*posting)

    async def _postman(self, port: int, queue: asyncio.Queue[Letter]) -> None:
        async with HttpConnection(port) as connection:
            while True:
                await self._post(connection, await queue.get())

    async def _post(self, connection: HttpConnection, letter: Letter) -> None:
        self.answers[await connection.post("/webhook", letter.body, letter.token)] += 1

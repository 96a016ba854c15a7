"""All that a sentinel shares with the others, put together; alone, the same parts without Redis.

Alone, claims are kept in a file, and in memory where there is none or the disk is full. With Redis,
they are shared; while it is gone each sentinel goes on as if it were alone (`failover`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from onhook.livekit.credentials import Credentials
from onhook.sentinel.fleet.claims import Claims, LocalClaims
from onhook.sentinel.fleet.failover import FailoverClaims
from onhook.sentinel.fleet.leader import LeaderLease
from onhook.sentinel.fleet.link import LinkHealth
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.fleet.redis_claims import RedisClaims
from onhook.sentinel.fleet.redis_client import RedisClient
from onhook.sentinel.fleet.sighting_stream import SightingStream
from onhook.sentinel.fleet.sqlite_claims import SqliteClaims
from onhook.sentinel.sightings import Sighting
from onhook.tasks import end
from onhook.watchdog.runtime_dir import normalized

__all__ = ["Fleet", "fleet_name", "new_owner"]

logger = logging.getLogger("onhook")

_FILE_PROBE = 5.0
_AGAIN = 1.0
_RESIGN = 1.5


def new_owner() -> str:
    """Return a name for this start of a sentinel: where it runs, and one of its own."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def fleet_name(credentials: Credentials, *, observe: bool) -> str:
    """Return a name that all sentinels of one LiveKit server have, and no others.

    One that only observes is of another fleet: what it has settled nobody has done.

    Args:
        credentials: The server.
        observe: Whether the sentinel does nothing, whatever the plans say.
    """
    server = hashlib.sha256(normalized(credentials.url).encode()).hexdigest()[:12]
    return f"{server}-observe" if observe else server


class Fleet:
    """An async context manager; what it shares is there inside.

    Args:
        redis: Address of the Redis that the sentinels share; empty for a single one.
        file: Where claims are kept while nothing is shared; `None` for in memory.
        name: Name of the fleet, the same for every sentinel of one LiveKit deployment.
        owner: This sentinel's name; a new one when omitted.
        receive: Is given what the other sentinels hear.
        clock: Seconds of a monotonic clock.

    Raises:
        ConfigurationError: `redis` is no address.
    """

    def __init__(
        self,
        *,
        redis: str = "",
        file: Path | None = None,
        name: str = "default",
        owner: str = "",
        receive: Callable[[Sighting], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owner = owner or new_owner()
        self._file: SqliteClaims | None = None
        self._client: RedisClient | None = None
        self._leader: LeaderLease | None = None
        self._stream: SightingStream | None = None
        self._work: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        claims: LocalClaims = MemoryClaims(clock=clock)
        self._links: list[FailoverClaims] = []
        if file is not None:
            self._file = SqliteClaims(file, clock=clock)
            # without its file, a sentinel of one host need not wait for anybody
            claims = self._keep_up(
                FailoverClaims(
                    *(self._file, claims),
                    owner=self.owner,
                    clock=clock,
                    every=_FILE_PROBE,
                    first=0.0,
                    stagger=0.0,
                )
            )
        if redis:
            self._client = RedisClient(redis)
            shared = RedisClaims(self._client, fleet=name, clock=clock)
            claims = self._keep_up(FailoverClaims(shared, claims, owner=self.owner, clock=clock))
            leases = RedisClaims(self._client, fleet=f"{name}:leader", clock=clock)
            self._leader = LeaderLease(leases, self.owner, clock=clock)
            self._stream = SightingStream(
                self._client,
                receive or _ignore,
                fleet=name,
                origin=self.owner,
                clock=clock,
            )
            self._work += [
                ("the lease of the poll", self._leader.watch),
                ("what is told to the other sentinels", self._stream.write),
                ("what the other sentinels tell", self._stream.read),
            ]
        self.claims: Claims = claims
        """Who rescues which call."""

    def _keep_up(self, claims: FailoverClaims) -> FailoverClaims:
        self._links.append(claims)
        self._work.append(("the claims", claims.watch))
        return claims

    async def __aenter__(self) -> Self:
        """Begin; what cannot be reached now is reached later."""
        for link in self._links:
            await link.probe()
        if self._leader is not None:
            await self._leader.step()
        self._tasks = [asyncio.create_task(_for_ever(*work)) for work in self._work]
        return self

    async def __aexit__(self, *_: object) -> None:
        """End: another polls at once; claims that are held lapse by themselves."""
        await end(*self._tasks)
        if self._leader is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RESIGN):
                    await self._leader.resign()
        if self._client is not None:
            await self._client.aclose()
        if self._file is not None:
            await self._file.aclose()

    @property
    def leads(self) -> bool:
        """Whether this sentinel polls now; a single one always does."""
        return self._leader is None or self._leader.leads

    def judges(self, listed_at: float | None) -> bool:
        """Whether it is for this sentinel to judge: it leads, and has polled since it does.

        Args:
            listed_at: When the latest list of all rooms had been asked for; `None` for never.
        """
        if self._leader is None:
            return True
        return self._leader.leads and listed_at is not None and listed_at >= self._leader.since

    def tell(self, sighting: Sighting) -> None:
        """Tell the other sentinels what this one has heard by a webhook or a lease, soon.

        Args:
            sighting: What; it has been taken in here already.
        """
        if self._stream is not None:
            self._stream.tell(sighting)

    @property
    def health(self) -> LinkHealth | None:
        """How it stands to the others; `None` for a single sentinel."""
        return None if self._client is None else self._links[-1].health

    @property
    def was_joined(self) -> bool:
        """Whether the others could be reached since the start; a single sentinel has none."""
        return self._client is None or self._links[-1].was_reached

    @property
    def sightings(self) -> Mapping[str, int]:
        """How many sightings were told to the others, heard of them, left out and lost."""
        if (stream := self._stream) is None:
            return {}
        return {
            "told": stream.told,
            "left_out": stream.left_out,
            "heard": stream.heard,
            "lost": stream.lost,
        }

    def status(self) -> Mapping[str, Any]:
        """Return how it is, for the status page; nothing secret."""
        told: dict[str, Any] = {"owner": self.owner, "polls": self.leads}
        if self._file is not None:
            told["file"] = str(self._links[0].health.why or "ok")
        if self._client is None or self._leader is None:
            return told
        link = self._links[-1].health
        return {
            **told,
            "redis": self._client.name,
            "degraded": link.degraded,
            **asdict(link),
            "leader": self._leader.leader,
            "sightings": self.sightings,
        }


async def _for_ever(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Keep a part going whatever it raises: one that has failed must not end the others."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("%s: failed, which is a bug; begun again in %g s", what, _AGAIN)
        await asyncio.sleep(_AGAIN)


def _ignore(_: Sighting) -> None:
    pass

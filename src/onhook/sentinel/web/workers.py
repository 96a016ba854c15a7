"""What the workers of LiveKit Agents tell of themselves.

Each `AgentServer` answers on its HTTP port, 8081 unless told otherwise: `/worker` with its
registration as JSON, `/` with "OK", or with 503 and what is wrong (livekit-agents `worker.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

__all__ = ["Worker", "Workers"]

logger = logging.getLogger("onhook")

_PERIOD = 10.0
"""Seconds between two questions to each."""
_DEADLINE = 2.0
"""Seconds for one answer."""
_AT_ONCE = 8
_LARGEST = 16_384
"""Bytes of an answer; a real one has about 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker as it was when it last was asked.

    Args:
        address: Where it answers.
        agent: The name under which it takes calls; empty for the unnamed one.
        jobs: Calls that it has now.
        load: From 0 to 1, as it judges itself; `None` where it tells none.
        version: That of its livekit-agents.
        problem: What is wrong with it; empty for nothing.
        asked_at: When, in seconds since 1970.
    """

    address: str
    agent: str = ""
    jobs: int = 0
    load: float | None = None
    version: str = ""
    problem: str = ""
    asked_at: float = 0.0


class Workers:
    """Asks workers how they are, for as long as the sentinel runs.

    Args:
        addresses: Of their HTTP ports, `http://HOST:PORT`.
        wall: Seconds since 1970.
    """

    def __init__(self, addresses: Sequence[str], *, wall: Callable[[], float] = time.time) -> None:
        self._addresses = tuple(addresses)
        self._wall = wall
        self._latest: dict[str, Worker] = {}

    @property
    def latest(self) -> tuple[Worker, ...]:
        """How each of them was, in the order in which they are listed."""
        return tuple(self._latest[a] for a in self._addresses if a in self._latest)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that are asked."""
        return self._addresses

    async def run(self) -> None:
        """Ask all of them again and again."""
        if not self._addresses:
            await asyncio.Event().wait()
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_DEADLINE),
            connector=aiohttp.TCPConnector(limit=_AT_ONCE),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as client:
            while True:
                try:
                    await self.ask_all(client)
                except Exception:
                    logger.exception("the workers could not be asked; they are asked again")
                await asyncio.sleep(_PERIOD)

    async def ask_all(self, client: aiohttp.ClientSession) -> None:
        """Ask every worker once, some at a time.

        Args:
            client: Sends the requests, each within its own deadline.
        """
        turn = asyncio.Semaphore(_AT_ONCE)  # a deadline must not run while others are waited for

        async def ask(address: str) -> None:
            async with turn:
                self._latest[address] = await self._ask(client, address)

        await asyncio.gather(*map(ask, self._addresses))

    async def _ask(self, client: aiohttp.ClientSession, address: str) -> Worker:
        at = self._wall()
        try:
            async with asyncio.timeout(_DEADLINE):
                status, told = await _get(client, f"{address}/worker")
                health, health_text = await _get(client, f"{address}/")
        except TimeoutError:
            problem = f"it did not answer within {_DEADLINE:g} s"
            return Worker(address=address, problem=problem, asked_at=at)
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
            return Worker(address=address, problem=f"it cannot be reached: {why}", asked_at=at)
        except aiohttp.ClientError as error:
            problem = f"it does not answer as a worker does: {error}"
            return Worker(address=address, problem=problem, asked_at=at)
        if status != 200:
            problem = f"it answered {status}: is this the HTTP port of a worker?"
            return Worker(address=address, problem=problem, asked_at=at)
        try:
            held = json.loads(told)
            return _worker(address, held, "" if health == 200 else health_text, at)
        except (ValueError, TypeError, OverflowError, RecursionError):
            problem = "what it answered is no worker's"
            return Worker(address=address, problem=problem, asked_at=at)


def _worker(address: str, held: Mapping[str, Any], problem: str, at: float) -> Worker:
    """Read what a worker tells; protobuf's JSON leaves out what is 0, and writes NaN as a text."""
    if not isinstance(held, dict) or "sdk_version" not in held:
        raise ValueError("it has no version")
    load = float(held.get("worker_load", 0.0))
    return Worker(
        address=address,
        agent=str(held.get("agent_name", "")),
        jobs=int(float(held.get("active_jobs", 0))),
        load=load if math.isfinite(load) else None,
        version=str(held["sdk_version"]),
        problem=problem,
        asked_at=at,
    )


async def _get(client: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    """Return an answer's status and text, no more of it than is allowed."""
    async with client.get(url, allow_redirects=False) as answer:
        data = bytearray()
        async for chunk in answer.content.iter_chunked(_LARGEST):
            data += chunk
            if len(data) > _LARGEST:
                raise aiohttp.ClientPayloadError("its answer is too long")
        return answer.status, data.decode("utf-8", "replace")

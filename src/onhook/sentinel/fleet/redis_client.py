"""Redis as a sentinel uses it: every request is bounded, and what fails has one type.

Only commands that Redis 7.0 knows; scripts read Redis' own clock (`TIME`), so that no sentinel's
clock decides who holds a call. A primary that fails over may forget the last moments: then the
newest claim is not known any more, and its holder is refused like every stale one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    NoScriptError,
    RedisError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from onhook.errors import ConfigurationError
from onhook.redaction import bounded
from onhook.sentinel.fleet.claims import FleetUnavailableError

__all__ = ["RedisClient", "Script"]

_Argument: TypeAlias = str | bytes | int | float
_CONNECTIONS = 64


class Script:
    """A Lua script, known to the server by its SHA-1 once it has run.

    Args:
        text: Its source.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisClient:
    """A pool of connections to one Redis server.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        connect_timeout: Seconds for a connection.
        read_timeout: Seconds for one answer.

    Raises:
        ConfigurationError: The address is none.
    """

    def __init__(
        self, url: str, *, connect_timeout: float = 0.5, read_timeout: float = 0.5
    ) -> None:
        self.name = bounded(url)
        self.read_timeout = read_timeout
        self._deadline = connect_timeout + read_timeout
        try:
            pool = ConnectionPool.from_url(
                url,
                socket_connect_timeout=connect_timeout,
                socket_timeout=read_timeout,
                retry=Retry(NoBackoff(), 0),  # we do it, within a deadline for all tries
                max_connections=_CONNECTIONS,
                protocol=2,
            )
        except ValueError as error:
            raise ConfigurationError(
                f"{self.name!r} is no address of a Redis ({error}): give redis://HOST:PORT/0"
            ) from error
        self._pool = pool
        self._redis: Any = Redis(connection_pool=pool)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._pool.disconnect()

    async def run(self, script: Script, keys: Sequence[str], *arguments: _Argument) -> Any:
        """Run a script; once more where the connection had been lost or no answer came.

        Scripts that run here do no harm when they run twice.

        Args:
            script: The script.
            keys: The keys that it touches.
            arguments: What else it is given.

        Raises:
            FleetUnavailableError: No answer, twice, or a refusal.
        """
        tail = (len(keys), *keys, *arguments)
        try:
            return await self._once(script, tail)
        except FleetUnavailableError as error:
            if not error.passing:
                raise
        return await self._once(script, tail)

    async def command(self, *words: _Argument, wait: float = 0.0) -> Any:
        """Send one command, once.

        Args:
            words: The command.
            wait: Seconds that the server itself may wait with its answer.

        Raises:
            FleetUnavailableError: No answer, or a refusal.
        """
        async with _Bounded(self, self._deadline + wait):
            return await self._redis.execute_command(*words)

    async def commands(self, several: Sequence[Sequence[_Argument]]) -> None:
        """Send several commands at once; their answers do not matter.

        Args:
            several: The commands.

        Raises:
            FleetUnavailableError: No answer, or a refusal.
        """
        async with _Bounded(self, self._deadline):
            pipeline = self._redis.pipeline(transaction=False)
            for words in several:
                pipeline.execute_command(*words)
            await pipeline.execute()

    async def _once(self, script: Script, tail: Sequence[_Argument]) -> Any:
        async with _Bounded(self, self._deadline):
            try:
                return await self._redis.execute_command("EVALSHA", script.sha, *tail)
            except NoScriptError:  # a new server, or one that was started anew
                return await self._redis.execute_command("EVAL", script.text, *tail)


class _Bounded:
    """Gives what is inside a deadline, and its failures one type; a cancellation goes on.

    redis-py sends under `asyncio.wait_for`, which swallows a cancellation that comes while its
    inner task has just ended (Python 3.11, github.com/python/cpython/issues/86296).
    """

    def __init__(self, client: RedisClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise self._failed(f"no answer within {self._seconds:g} s", passing=True) from error
        if self._task is not None and self._task.cancelling() > self._cancelling:
            if not isinstance(error, asyncio.CancelledError):
                raise asyncio.CancelledError
            return
        if isinstance(error, RedisConnectionError | RedisTimeoutError | OSError):
            raise self._failed(str(error) or repr(error), passing=True) from error
        if isinstance(error, RedisError):
            raise self._failed(str(error), passing=False) from error

    def _failed(self, why: str, *, passing: bool) -> FleetUnavailableError:
        return FleetUnavailableError(
            f"Redis at {self._client.name} does not serve ({bounded(why, 500)}): is it up, "
            "writable, and not full?",
            passing=passing,
        )

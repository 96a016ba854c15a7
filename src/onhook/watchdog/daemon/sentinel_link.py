"""All that a watchdog tells the sentinel which its environment names: leases, and rescues."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from onhook import settings
from onhook.errors import ConfigurationError
from onhook.livekit.credentials import Credentials
from onhook.rescue.events import Sink
from onhook.watchdog.daemon.event_forwarder import EventForwarder
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.lease import LeaseSender, calls_of, new_host
from onhook.watchdog.daemon.signed_post import SignedPost

__all__ = ["SentinelLink"]

logger = logging.getLogger("onhook")


class SentinelLink:
    """Does nothing where the environment names no sentinel.

    Args:
        credentials: With key and secret, by which all is signed.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._host = new_host()
        self._post = _sentinel(credentials)
        self._lease: LeaseSender | None = None
        self._forwarder = None if self._post is None else EventForwarder(self._post, self._host)

    @property
    def sinks(self) -> Sequence[Sink]:
        """What is to be given every event of a rescue on this host."""
        return () if self._forwarder is None else (self._forwarder,)

    def start(
        self, table: JobTable, prepare: Callable[[], Awaitable[None]]
    ) -> list[asyncio.Task[None]]:
        """Begin to tell; return the tasks that do, for their owner to end.

        Args:
            table: The jobs.
            prepare: Loads what a request needs, beside the loop.
        """
        if self._post is None or self._forwarder is None:
            return []
        self._lease = LeaseSender(
            self._post, self._host, lambda: calls_of(table, time.monotonic()), prepare
        )
        work = (self._lease.watch(), self._forwarder.watch(prepare))
        return [asyncio.create_task(each) for each in work]

    async def aclose(self) -> None:
        """Tell what is left to be told, and say goodbye, within two seconds."""
        if self._forwarder is not None:
            await self._forwarder.aclose()
        if self._lease is not None:
            await self._lease.aclose()
        if self._post is not None:
            await self._post.aclose()

    def status(self, longest: int) -> Mapping[str, str]:
        """Return how it stands, for `onhook watchdog status`.

        Args:
            longest: Characters of a text.
        """
        return {
            "lease": "" if self._lease is None else self._lease.state[:longest],
            "events": "" if self._forwarder is None else self._forwarder.state[:longest],
        }


def _sentinel(credentials: Credentials) -> SignedPost | None:
    try:
        url = settings.sentinel()
    except ConfigurationError as error:
        logger.error("no lease for the sentinel: %s", error)  # noqa: TRY400 - no traceback helps
        return None
    return SignedPost(url, credentials) if url else None

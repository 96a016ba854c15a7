"""Tells a sentinel each second for which calls this host answers: a host that is lost cannot."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterable

from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.signed_post import SentinelUnreachableError, SignedPost
from onhook.watchdog.protocol.messages import Hello
from onhook.watchdog.protocol.sentinel_messages import HostLease, LeasedJob, to_body

__all__ = ["LeaseSender", "calls_of", "new_host"]

logger = logging.getLogger("onhook")

PERIOD = 1.0
"""Seconds between leases."""
TTL = 3.0
"""Seconds for which a lease counts: two may be lost."""
_TIMEOUT = 1.0
"""Seconds for one lease; the next one tells more than its repetition would."""
_LONGEST_PAUSE = 5.0
"""Seconds between leases while no sentinel takes any."""
_PATIENT = 3
"""Leases that may fail before the pauses grow: by then the last good one counts no more."""
_MOST = 2000
"""Calls that one lease tells of."""
_REASON = 200
"""Characters of a reason that travel."""


def new_host() -> str:
    """Return an id for this start of a watchdog: another start is another host."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"


def calls_of(table: JobTable, now: float) -> list[LeasedJob]:
    """Return the calls that a host answers for, as a lease tells of them.

    Those whose agents live, those that are being rescued, and for a while those that an agent has
    left on purpose.

    Args:
        table: The jobs.
        now: Seconds of the table's clock.
    """
    calls = [_call(h, now, until=until) for h, until in table.rescued]
    for job in table.jobs:
        recorded = job.recorded
        rescues = recorded is not None and recorded.unfinished
        until = recorded.deadline(job.hello.policy.api_timeout) if recorded and rescues else 0.0
        calls.append(_call(job.hello, now, until=until))
    calls += [_call(hello, now, released=reason) for hello, reason in table.released(now)]
    return calls[:_MOST]


def _call(hello: Hello, now: float, *, until: float = 0.0, released: str = "") -> LeasedJob:
    return LeasedJob(
        hello.room,
        hello.agent,
        hello.job,
        released[:_REASON],
        round(max(0.0, until - now), 3),
    )


class LeaseSender:
    """Sends this host's lease to a sentinel for as long as the watchdog runs.

    Whatever is wrong with the sentinel is logged when it changes, and disturbs nothing here.

    Args:
        post: Sends signed requests.
        host: The watchdog's own id; another start is another host.
        calls: Returns what the host answers for.
        prepare: Loads what a request needs, beside the loop.
        clock: Seconds of a monotonic clock.
        sleep: Waits for some seconds.
        period: Seconds between leases.
    """

    def __init__(
        self,
        post: SignedPost,
        host: str,
        calls: Callable[[], Iterable[LeasedJob]],
        prepare: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        period: float = PERIOD,
    ) -> None:
        self._post = post
        self._calls = calls
        self._prepare = prepare
        self._clock = clock
        self._sleep = sleep
        self._period = period
        self._failed = 0
        self.host = host
        self.state = ""
        """`ok`, or why the last lease was not taken; empty before the first one."""

    async def watch(self) -> None:
        """Send a lease now and again and again, for ever; raises nothing but its cancellation."""
        if not self._post.can_sign:
            logger.warning("no lease for the sentinel: LIVEKIT_TOKEN alone cannot sign one")
            return
        try:
            await self._prepare()
            while True:
                began = self._clock()
                self._learn(await self._send(self._calls(), TTL))
                await self._sleep(max(0.0, began + self._pause() - self._clock()))
        except Exception:
            logger.exception("the sentinel gets no lease of this host any more; all else goes on")

    async def aclose(self) -> None:
        """Say goodbye where a sentinel has taken a lease."""
        try:
            if self.state == "ok":
                await self._send((), 0.0)
        except Exception:
            logger.exception("the sentinel could not be told that this watchdog ends")

    def _pause(self) -> float:
        """Return the seconds from one lease's start to the next one's."""
        late = min(self._failed - _PATIENT, 8)
        return self._period if late <= 0 else min(self._period * 2.0**late, _LONGEST_PAUSE)

    async def _send(self, calls: Iterable[LeasedJob], ttl: float) -> str:
        """Send one lease; return why it was not taken, or an empty text."""
        try:
            body = to_body(HostLease(self.host, ttl, tuple(calls)))
            await self._post.post("/lease", body, _TIMEOUT)
        except SentinelUnreachableError as error:
            return str(error)
        return ""

    def _learn(self, why: str) -> None:
        """Log a change, and no repetition."""
        self._failed = self._failed + 1 if why else 0
        state = why or "ok"
        if state == self.state:
            return
        self.state = state
        if why:
            logger.warning(
                "the sentinel at %s takes no lease of this host: %s", self._post.url, why
            )
        else:
            logger.info("the sentinel at %s takes this host's lease", self._post.url)

"""Tells a sentinel each second for which calls this host answers: a host that is lost cannot."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from onhook.livekit.credentials import Credentials
from onhook.watchdog.daemon.job_table import JobTable

if TYPE_CHECKING:
    import aiohttp

__all__ = ["LeaseSender", "calls_of"]

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
_TOKEN = dt.timedelta(seconds=60)
_MOST = 2000
"""Calls that one lease tells of."""
_REASON = 200
"""Characters of a reason that travel."""
_TAKEN, _REFUSALS = range(200, 300), (401, 403)
"""HTTP statuses."""

Call = Mapping[str, Any]


def calls_of(table: JobTable, now: float) -> list[Call]:
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


def _call(hello: Any, now: float, *, until: float = 0.0, released: str = "") -> Call:
    return {
        "room": hello.room,
        "agent": hello.agent,
        "job": hello.job,
        "released": released[:_REASON],
        "rescue_until": round(max(0.0, until - now), 3),
    }


class LeaseSender:
    """Sends this host's lease to a sentinel for as long as the watchdog runs.

    Whatever is wrong with the sentinel is logged when it changes, and disturbs nothing here.

    Args:
        url: The sentinel's address.
        credentials: With key and secret, by which a lease is signed.
        calls: Returns what the host answers for.
        prepare: Loads what a request needs, beside the loop.
        clock: Seconds of a monotonic clock.
        sleep: Waits for some seconds.
        period: Seconds between leases.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        calls: Callable[[], Iterable[Call]],
        prepare: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        period: float = PERIOD,
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._calls = calls
        self._prepare = prepare
        self._clock = clock
        self._sleep = sleep
        self._period = period
        self._session: aiohttp.ClientSession | None = None
        self._failed = 0
        self.host = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
        """The watchdog's own id: another start is another host."""
        self.state = ""
        """`ok`, or why the last lease was not taken; empty before the first one."""

    async def watch(self) -> None:
        """Send a lease now and again and again, for ever; raises nothing but its cancellation."""
        if not (self._credentials.key and self._credentials.secret):
            logger.warning("no lease for the sentinel: LIVEKIT_TOKEN alone cannot sign one")
            return
        try:
            await self._prepare()
            while True:
                began = self._clock()
                self._learn(await self._send(list(self._calls()), TTL))
                await self._sleep(max(0.0, began + self._pause() - self._clock()))
        except Exception:
            logger.exception("the sentinel gets no lease of this host any more; all else goes on")

    async def aclose(self) -> None:
        """Say goodbye where a sentinel has taken a lease, and close the connection."""
        try:
            if self.state == "ok":
                await self._send([], 0.0)
        except Exception:
            logger.exception("the sentinel could not be told that this watchdog ends")
        finally:
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    def _pause(self) -> float:
        """Return the seconds from one lease's start to the next one's."""
        late = min(self._failed - _PATIENT, 8)
        return self._period if late <= 0 else min(self._period * 2.0**late, _LONGEST_PAUSE)

    async def _send(self, calls: list[Call], ttl: float) -> str:
        """Send one lease; return why it was not taken, or an empty text."""
        import aiohttp  # noqa: PLC0415 - loaded by `prepare`

        body = json.dumps({"host": self.host, "ttl": ttl, "jobs": calls}).encode()
        headers = {
            "Authorization": f"Bearer {self._token(body)}",
            "Content-Type": "application/json",
        }
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                self._session.post(
                    f"{self._url}/lease", data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                if answer.status in _TAKEN:
                    return ""
                why = f"it answers {answer.status}"
                mend = ": does it have the same LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and clock?"
                return why + mend * (answer.status in _REFUSALS)
        except TimeoutError:
            return f"it does not answer within {_TIMEOUT:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"it is not reachable ({type(error).__name__})"

    def _learn(self, why: str) -> None:
        """Log a change, and no repetition."""
        self._failed = self._failed + 1 if why else 0
        state = why or "ok"
        if state == self.state:
            return
        self.state = state
        if why:
            logger.warning("the sentinel at %s takes no lease of this host: %s", self._url, why)
        else:
            logger.info("the sentinel at %s takes this host's lease", self._url)

    def _token(self, body: bytes) -> str:
        """Sign a lease as livekit-server signs a webhook: by the hash of its body."""
        from livekit import api  # noqa: PLC0415 - loaded by `prepare`

        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        token = api.AccessToken(self._credentials.key, self._credentials.secret)
        return token.with_sha256(digest).with_ttl(_TOKEN).to_jwt()

"""Tells a user's service of every call that has ended: signed, again until it is taken, bounded.

By the Standard Webhooks specification (github.com/standard-webhooks): the headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`, whose value is `v1,` and the HMAC-SHA256 of
`id.timestamp.body` in base64, by a secret that is `whsec_` and 24 to 64 bytes in base64; one
signature for each of several secrets, while they are changed. An id never changes: who gets it
twice has got the same call twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from onhook.errors import JournalError
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.call_webhook_settings import CallWebhookSettings
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.webhook_queue import QueuedWebhook, WebhookQueue
from onhook.sinks.journal.case_file import iso

if TYPE_CHECKING:
    import aiohttp

__all__ = ["CallWebhook", "body_of"]

logger = logging.getLogger("onhook")

EVENT = "call.ended"
_TIMEOUT = 15.0
"""Seconds for a request; the specification asks for 15 to 30."""
_PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0)
"""Seconds before each further attempt; the last one again and again."""
_GIVE_UP = 86_400.0
"""Seconds after which a webhook that nobody takes is given up."""
_AT_ONCE = 8
_LOOK = 1.0
_QUIET = 60.0
_LONGEST_WAIT = 3600.0
"""Seconds that a `Retry-After` may ask for."""


def body_of(record: CallRecord, mask: NumberMask) -> bytes:
    """Return what is sent of a call.

    Args:
        record: Its record.
        mask: How numbers are shown.
    """
    data = {
        **record.to_json(),
        "number": mask.number(record.number),
        "caller": mask.number(record.caller),
        "room": mask.text(record.room),
        "began_at": iso(record.began_at),
        "answered_at": None if record.answered_at is None else iso(record.answered_at),
        "ended_at": iso(record.ended_at),
    }
    told = {"type": EVENT, "timestamp": iso(record.ended_at), "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


class CallWebhook:
    """Sends `call.ended` webhooks; somebody has to run `watch`.

    Args:
        given: Where to, and by which secrets.
        queue: What is to be sent, over a restart.
        mask: How numbers are shown.
        wall: Seconds since 1970.
        sleep: Waits for some seconds.
        jitter: Returns a number from 0 to 1, by which pauses are spread.
        timeout: Seconds for a request.
    """

    def __init__(
        self,
        given: CallWebhookSettings,
        queue: WebhookQueue,
        mask: NumberMask,
        *,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        timeout: float = _TIMEOUT,
    ) -> None:
        self._given = given
        self._queue = queue
        self._mask = mask
        self._wall = wall
        self._sleep = sleep
        self._jitter = jitter
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._why = ""
        self._broken_at = float("-inf")
        self.delivered = self.failed = self.given_up = 0
        """Webhooks that were taken; attempts that were not; webhooks that nobody took for a day."""

    async def ended(self, record: CallRecord) -> None:
        """Send a call's webhook, soon; it is in the queue's file when this returns.

        Raises:
            JournalError: It cannot be.
        """
        body = body_of(record, self._mask)
        await asyncio.to_thread(self._queue.put, record.id, body)

    async def watch(self) -> None:
        """Send what is due, for ever."""
        while True:
            try:
                await self.step()
            except JournalError as error:
                if (now := self._wall()) - self._broken_at >= _QUIET:
                    self._broken_at = now
                    logger.error("webhooks wait: %s", error)  # noqa: TRY400 - no traceback helps
            await self._sleep(_LOOK)

    async def step(self) -> None:
        """Send what is due now.

        Raises:
            JournalError: The queue's file cannot be used.
        """
        due = await asyncio.to_thread(self._queue.due, self._wall(), _AT_ONCE)
        await asyncio.gather(*(self._send(webhook) for webhook in due))

    async def aclose(self) -> None:
        """Close connections; what was not taken is sent after the next start."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        self._queue.close()

    def status(self) -> Mapping[str, Any]:
        """Return how it stands; nothing secret."""
        return {
            "to": self._given.shown,
            "delivered": self.delivered,
            "failed_attempts": self.failed,
            "given_up": self.given_up,
            "problem": self._why,
        }

    async def _send(self, webhook: QueuedWebhook) -> None:
        why, wait = await self._attempt(webhook)
        self._learn(why)
        if not why:
            self.delivered += 1
            await asyncio.to_thread(self._queue.done, webhook.id)
            return
        self.failed += 1
        now = self._wall()
        if now - webhook.since >= _GIVE_UP:
            self.given_up += 1
            logger.error("the webhook of %s is given up: %s", webhook.id, why)
            await asyncio.to_thread(self._queue.done, webhook.id)
            return
        pause = _PAUSES[min(webhook.attempts, len(_PAUSES) - 1)]
        pause = max(pause * (0.8 + 0.4 * self._jitter()), min(wait, _LONGEST_WAIT))
        await asyncio.to_thread(self._queue.again, webhook.id, now + pause)

    async def _attempt(self, webhook: QueuedWebhook) -> tuple[str, float]:
        """Send one; return why it was not taken, and how many seconds the receiver asks for."""
        import aiohttp  # noqa: PLC0415 - only who sends webhooks needs it

        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "onhook-sentinel",
            **self._given.signed(webhook.id, webhook.body, int(self._wall())),
        }
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._session.post(
                    self._given.url, data=webhook.body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                if answer.status in range(200, 300):
                    return "", 0.0
                return f"it answers {answer.status}", _seconds(answer.headers.get("Retry-After"))
        except TimeoutError:
            return f"it does not answer within {self._timeout:g} s", 0.0
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"it is not reachable ({type(error).__name__})", 0.0

    def _learn(self, why: str) -> None:
        """Log a change, and no repetition."""
        if why == self._why:
            return
        self._why = why
        if why:
            logger.warning("the webhooks' receiver %s: %s", self._given.shown, why)
        else:
            logger.info("the webhooks' receiver %s takes them again", self._given.shown)


def _seconds(header: str | None) -> float:
    """Return the seconds of a `Retry-After`; a date counts as none."""
    plain = (header or "").strip()
    return float(plain) if plain.isascii() and plain.isdigit() and len(plain) < 7 else 0.0

"""Whether the server's webhooks arrive where a sentinel listens, and are believed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from onhook import settings, tasks
from onhook.doctor.findings import Finding, Kind, Level
from onhook.doctor.sentinel import sentinel_status
from onhook.livekit.credentials import Credentials

__all__ = ["KINDS", "WebhookCounts", "judge_webhooks", "listening", "told_by_sentinel"]

NONE = Kind(
    "webhook.none",
    Level.ERROR,
    "no webhook arrives",
    "the sentinel learns of calls by polling alone: seconds later, and of some changes not at all",
    "name the address in `webhook.urls` of livekit-server (LiveKit Cloud: Settings, Webhooks); it "
    "must reach this host through proxy and firewall",
)
REFUSED = Kind(
    "webhook.refused",
    Level.ERROR,
    "webhooks arrive, and cannot be believed",
    "the sentinel throws them away, and learns of calls by polling alone",
    "let the server sign them with this key (`webhook.api_key`), and set both clocks by NTP",
)

KINDS: Sequence[Kind] = (NONE, REFUSED)

_POLL = 0.2


@dataclass
class WebhookCounts:
    """What has come.

    Args:
        taken: Webhooks that were believed.
        refused: Those that were not, by the reason.
    """

    taken: int
    refused: Counter[str]


@asynccontextmanager
async def listening(credentials: Credentials, host: str, port: int) -> AsyncIterator[WebhookCounts]:
    """Listen as a sentinel does, and count.

    Args:
        credentials: The key by which webhooks are believed.
        host: Address of this machine.
        port: TCP port.

    Raises:
        ConfigurationError: Nobody can listen there, or `ONHOOK_WEBHOOK_KEYS` is wrong.
    """
    from onhook.sentinel.signals.leases import Leases  # noqa: PLC0415 - of an extra
    from onhook.sentinel.signals.receiver import Receiver  # noqa: PLC0415
    from onhook.sentinel.signals.serving import serve  # noqa: PLC0415
    from onhook.sentinel.signals.signed_bodies import SignedBodies  # noqa: PLC0415
    from onhook.sentinel.signals.webhooks import Webhooks  # noqa: PLC0415
    from onhook.sentinel.webhook_keys import believed_keys, read_webhook_keys  # noqa: PLC0415

    further = read_webhook_keys(settings.webhook_keys())
    signed = SignedBodies(believed_keys(credentials, further))
    counts = WebhookCounts(0, Counter())
    receiver = Receiver(Webhooks(signed), Leases(signed), lambda _: None)
    began = asyncio.Event()
    serving = asyncio.create_task(
        serve(receiver.app, host, port, started=lambda _: began.set()), name="onhook-doctor-webhook"
    )
    counting = asyncio.create_task(_counted(receiver, counts), name="onhook-doctor-count")
    waiting = asyncio.create_task(began.wait(), name="onhook-doctor-listens")
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield counts
    finally:
        for task in (waiting, counting, serving):
            await tasks.end(task)


async def _counted(receiver: Any, counts: WebhookCounts) -> None:
    while True:
        counts.taken = receiver.events.total()
        counts.refused = Counter(
            {str(reason): n for reason, n in receiver.refused["webhook"].counts.items()}
        )
        await asyncio.sleep(_POLL)


async def told_by_sentinel(
    address: str, before: Mapping[str, Any], *, timeout: float
) -> WebhookCounts:
    """Return what has come to a running sentinel since it told `before`.

    Args:
        address: `http://HOST:PORT`.
        before: Its status of then.
        timeout: Seconds.
    """
    status, _ = await sentinel_status(address, timeout=timeout)
    taken = _total(status.get("webhooks")) - _total(before.get("webhooks"))
    refused = _refused(status)
    refused.subtract(_refused(before))
    return WebhookCounts(max(0, taken), +refused)


def _total(told: object) -> int:
    return sum(n for n in told.values() if isinstance(n, int)) if isinstance(told, dict) else 0


def _refused(status: Mapping[str, Any]) -> Counter[str]:
    told = status.get("refused")
    webhooks = told.get("webhook") if isinstance(told, dict) else None
    return Counter(webhooks if isinstance(webhooks, dict) else {})


def judge_webhooks(where: str, counts: WebhookCounts, seconds: float) -> Iterator[Finding]:
    """Judge what has come.

    Args:
        where: The address.
        counts: What has come.
        seconds: For how long was waited.
    """
    if counts.taken:
        return
    if counts.refused:
        reasons = ", ".join(f"{n} {reason}" for reason, n in counts.refused.items())
        yield REFUSED.found(where, f"{where} has refused: {reasons}")
    else:
        yield NONE.found(where, f"none has come to {where} within {seconds:g} s")

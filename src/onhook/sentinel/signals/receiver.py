"""The HTTP side: an ASGI application that takes webhooks, leases and reports, and answers at once.

livekit-server sends a room's webhooks one after the other and waits for each answer, without a
time-out of its own (livekit-protocol `webhook/resource_url_notifier.go`): whoever hangs here stalls
that room. So a sighting is handed over in memory and nothing is waited for but the body.

What the answers mean to livekit-server (hashicorp `go-retryablehttp`): 429 and 5xx but 501 are
tried again, four times within about 15 s; everything else counts as delivered. So what may be well
a moment later is answered 503, and what never will be 4xx.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onhook.sentinel.sightings import Sighting
from onhook.sentinel.signals.incident_reports import IncidentReports
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.refusals import Reason, Refusals, RefusedError
from onhook.sentinel.signals.signed_bodies import Token
from onhook.sentinel.signals.webhooks import Webhooks

__all__ = ["Receiver"]

logger = logging.getLogger("onhook")
_BODY = 5.0
"""Seconds for a body to come in."""
_QUIET = 60.0
"""Seconds between two lines about sightings that could not be taken."""
_CLOSE = {"Connection": "close"}
"""The rest of a body that nobody wants is not read."""
_AGAIN = {"Retry-After": "1"}
"""Seconds; livekit-server's client heeds it on a 503."""
_STATUS: Mapping[Reason, HTTPStatus] = {
    Reason.FORGED: HTTPStatus.UNAUTHORIZED,
    Reason.STALE: HTTPStatus.BAD_REQUEST,  # and will be more so when it comes again
    Reason.REPLAYED: HTTPStatus.OK,  # most are the server's own repetition: it has been delivered
    Reason.OVERSIZED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.MALFORMED: HTTPStatus.BAD_REQUEST,
}
_MOST_EVENTS = 64
"""Names of events that are counted apart: a newer server has more than this one, not thousands."""


class _Verifier(Protocol):
    """What webhooks, leases and reports have in common."""

    longest: int

    def token(self, header: str | None) -> Token: ...


class Receiver:
    """Takes webhooks at `/webhook`, leases at `/lease`, rescues at `/incidents`; tells `/healthz`.

    Args:
        webhooks: Verifies and decodes webhooks.
        leases: The same for leases.
        receive: Takes each sighting at once; it must not block. Where it raises, the webhook is
            answered 503 and comes again.
        reports: Verifies and decodes the events of rescues; none are taken when omitted.
        health: What `/healthz` tells beside the counts; nothing secret, everybody may ask.
        stuck: Returns why a restart would help, which `/healthz` answers with 503; empty while
            all goes on.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        leases: Leases,
        receive: Callable[[Sighting], None],
        *,
        reports: IncidentReports | None = None,
        health: Callable[[], Mapping[str, object]] = dict,
        stuck: Callable[[], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._webhooks = webhooks
        self._leases = leases
        self._receive = receive
        self._health = health
        self._stuck = stuck
        self._clock = clock
        self._failed_at = float("-inf")
        self.events: Counter[str] = Counter()
        """Webhooks that were taken, by event."""
        self.lease_count = 0
        """Leases that were taken."""
        self.rescue_events = 0
        """Events of rescues that were taken."""
        self.failed = 0
        """Requests whose sightings could not be taken."""
        self.refused = {
            "webhook": Refusals("webhook", clock=clock),
            "lease": Refusals("lease", clock=clock),
            "report": Refusals("report", clock=clock),
        }
        self.webhook_at: float | None = None
        """When the latest webhook was taken, by the clock; `None` for never."""
        self.app = Starlette(
            routes=[
                Route("/webhook", self._take_webhook, methods=["POST"]),
                Route("/lease", self._take_lease, methods=["POST"]),
                Route("/healthz", self._tell_health, methods=["GET"]),
            ]
        )
        """Serve it, or mount it into an application of yours: `app.mount("/onhook", it)`."""
        if reports is not None:
            self._take_reports(reports)

    async def _take_webhook(self, request: Request) -> Response:
        return await self._answered("webhook", request, self._webhooks, self._webhook)

    async def _take_lease(self, request: Request) -> Response:
        return await self._answered("lease", request, self._leases, self._lease)

    def _take_reports(self, reports: IncidentReports) -> None:
        def take(token: Token, body: bytes) -> None:
            for event in reports.receive(token, body):
                self._receive(event)
                self.rescue_events += 1

        async def answer(request: Request) -> Response:
            return await self._answered("report", request, reports, take)

        self.app.router.routes.append(Route("/incidents", answer, methods=["POST"]))

    def _webhook(self, token: Token, body: bytes) -> None:
        webhook = self._webhooks.receive(token, body)
        try:
            for sighting in webhook.sightings:
                self._receive(sighting)
        except BaseException:
            self._webhooks.forget(webhook)  # else its repetition would be a replay
            raise
        self.webhook_at = self._clock()
        known = webhook.event in self.events or len(self.events) < _MOST_EVENTS
        self.events[webhook.event[:64] if known else "other"] += 1

    def _lease(self, token: Token, body: bytes) -> None:
        self._receive(self._leases.receive(token, body))
        self.lease_count += 1

    async def _answered(
        self,
        source: str,
        request: Request,
        verifier: _Verifier,
        take: Callable[[Token, bytes], None],
    ) -> Response:
        """Take a request, and answer it by how that went."""
        try:
            # before the body: who has no key of ours makes us read none
            token = verifier.token(request.headers.get("authorization"))
            body = await _read(request, verifier.longest)
        except RefusedError as error:
            return self._refusal(source, error)
        except TimeoutError:
            return Response(status_code=HTTPStatus.REQUEST_TIMEOUT, headers=_CLOSE)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        try:
            take(token, body)
        except RefusedError as error:
            return self._refusal(source, error)
        except Exception as error:  # noqa: BLE001 - whoever takes the sightings has failed
            self._log_failure(source, error)
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers=_AGAIN)
        return Response()

    def _refusal(self, source: str, error: RefusedError) -> Response:
        self.refused[source].add(error)
        status = _STATUS[error.reason]
        return Response(status_code=status, headers=None if status == HTTPStatus.OK else _CLOSE)

    def _log_failure(self, source: str, error: Exception) -> None:
        self.failed += 1
        if (now := self._clock()) - self._failed_at >= _QUIET:
            self._failed_at = now
            text = "a %s could not be taken (%d so far)"
            logger.error(text, source, self.failed, exc_info=error)

    async def _tell_health(self, _: Request) -> Response:
        told: dict[str, object] = {
            "status": "ok",
            "webhooks": dict(self.events),
            "leases": self.lease_count,
            "rescue_events": self.rescue_events,
            "refused": {source: dict(r.counts) for source, r in self.refused.items()},
            "failed": self.failed,
            **self._health(),
        }
        if stuck := self._stuck():
            return JSONResponse({**told, "status": stuck}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse(told)


async def _read(request: Request, longest: int) -> bytes:
    """Read a body, and no more of it than is allowed."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > longest:
        raise RefusedError(Reason.OVERSIZED, f"its body is longer than {longest} bytes")
    body = bytearray()
    async with asyncio.timeout(_BODY):
        async for chunk in request.stream():
            body += chunk
            if len(body) > longest:
                raise RefusedError(Reason.OVERSIZED, f"its body is longer than {longest} bytes")
    return bytes(body)

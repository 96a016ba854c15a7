"""What programs ask a sentinel by HTTP: its metrics, whether it is ready, and what a host carries.

Nothing of it names a room or a number. Whether it is ready everybody may ask, as for `/healthz`;
the others want the token where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from onhook.sentinel.host_calls import HostCalls
from onhook.sentinel.metrics.sentinel_metrics import SentinelMetrics
from onhook.sentinel.readiness import Readiness
from onhook.sentinel.web.access import Access, RefusedVisitError

__all__ = ["MonitoringRoutes"]

_LONGEST_HOST = 255


class MonitoringRoutes:
    """Answers at `/metrics`, `/readyz`, `/api/calls`, and at `/calls` where JSON is wanted.

    Args:
        metrics: What is told.
        readiness: Whether the sentinel is ready.
        host_calls: Returns what is known of a host, by its name.
        access: Says who may ask: whoever brings the token, where there is one.
    """

    def __init__(
        self,
        metrics: SentinelMetrics,
        readiness: Readiness,
        host_calls: Callable[[str], HostCalls],
        access: Access,
    ) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._host_calls = host_calls
        self._access = access

    def add_to(self, app: Starlette) -> None:
        """Add the routes to an application.

        Args:
            app: It.
        """
        app.router.routes += [
            Route("/metrics", self._tell_metrics, methods=["GET"]),
            Route("/readyz", self._tell_ready, methods=["GET"]),
            Route("/api/calls", self._tell_calls, methods=["GET"]),
            _JsonRoute("/calls", self._tell_calls, methods=["GET"]),
        ]

    async def _tell_metrics(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        text, content_type = self._metrics.exposition(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})

    async def _tell_ready(self, _: Request) -> Response:
        reasons = self._readiness.reasons()
        told: Mapping[str, object] = {
            "ready": not reasons,
            "reasons": reasons,
            "notes": self._readiness.notes(),
        }
        return JSONResponse(told, HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK)

    async def _tell_calls(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        host = request.query_params.get("host", "")
        if not 0 < len(host) <= _LONGEST_HOST:
            wanted = {"error": "name the host: /api/calls?host=HOST, as its `hostname` tells it"}
            return JSONResponse(wanted, HTTPStatus.BAD_REQUEST)
        return JSONResponse(asdict(self._host_calls(host)))

    def _refusal(self, request: Request) -> Response | None:
        """Return what is answered to a program that may not ask; `None` to one that may."""
        try:
            self._access.require_bearer(request)
        except RefusedVisitError as refused:
            if refused.wait:
                wait = {"Retry-After": str(math.ceil(refused.wait))}
                return Response(f"{refused.refusal}\n", HTTPStatus.TOO_MANY_REQUESTS, wait)
            return _unauthorised()
        return None


class _JsonRoute(Route):
    """A route for programs; who wants a page is left to the next one of the same path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `Route.matches`."""
        found, child = super().matches(scope)
        if found is Match.NONE:
            return found, child
        named = "host" in QueryParams(scope.get("query_string", b""))
        accept = Headers(scope=scope).get("accept", "")
        wants_json = "application/json" in accept and "text/html" not in accept
        return (found, child) if named or wants_json else (Match.NONE, {})


def _unauthorised() -> Response:
    return Response(
        "a token is wanted: Authorization: Bearer TOKEN\n",
        HTTPStatus.UNAUTHORIZED,
        {"WWW-Authenticate": 'Bearer realm="onhook"', "Content-Type": "text/plain"},
    )

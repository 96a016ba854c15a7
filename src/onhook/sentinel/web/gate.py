"""Between a request and its handler: who sent it, what its form says, and what refuses it."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from onhook.sentinel.web.access import Access, Refusal, RefusedVisitError, Visitor
from onhook.sentinel.web.rendering import Templates
from onhook.sentinel.web.response_headers import HEADERS

__all__ = ["Gate", "Handler", "read_form", "root_of"]

_LARGEST_FORM = 16_384
"""Bytes."""
_MOST_FIELDS = 20
_FORM = 5.0
"""Seconds for a form to come in."""
_STATUS: Mapping[Refusal, HTTPStatus] = {
    Refusal.OFF: HTTPStatus.FORBIDDEN,
    Refusal.ELSEWHERE: HTTPStatus.FORBIDDEN,
    Refusal.HOST: HTTPStatus.MISDIRECTED_REQUEST,
    Refusal.LOGIN: HTTPStatus.UNAUTHORIZED,
    Refusal.WRONG: HTTPStatus.UNAUTHORIZED,
    Refusal.LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.FORGED: HTTPStatus.FORBIDDEN,
}
_ASKS_AGAIN = (Refusal.LOGIN, Refusal.WRONG, Refusal.LIMITED)

Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Gate:
    """Lets requests through to their handlers.

    Args:
        access: Says who is let in.
        templates: For the login form.
    """

    def __init__(self, access: Access, templates: Templates) -> None:
        self._access = access
        self._templates = templates

    def reading(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that is reached by who is let in.

        Args:
            handler: It must change nothing.
        """
        return self._guarded(handler)

    def changing(
        self, handler: Callable[[Request, Visitor, Mapping[str, str]], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that is reached by a form of the page's own.

        Args:
            handler: Is given the form's fields.
        """

        async def checked(request: Request, visitor: Visitor) -> Response:
            fields = await read_form(request)
            self._access.require_form(request, visitor, fields.get("csrf", ""))
            return await handler(request, visitor, fields)

        return self._guarded(checked)

    async def login(self, request: Request) -> Response:
        """Show the login form, or take it."""
        try:
            if request.method != "POST":
                self._access.admit(request)
                return _secured(RedirectResponse(_wanted(request, {}), HTTPStatus.SEE_OTHER))
            fields = await read_form(request)
            visitor = self._access.login(request, fields.get("token", ""))
        except RefusedVisitError as refused:
            return self._refusal(request, refused)
        response = RedirectResponse(_wanted(request, fields), HTTPStatus.SEE_OTHER)
        self._access.give_cookie(response, visitor, request)
        return _secured(response)

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            try:
                visitor = self._access.admit(request)
                response = await handler(request, visitor)
            except RefusedVisitError as refused:
                return self._refusal(request, refused)
            if visitor.new:
                self._access.give_cookie(response, visitor, request)
            return _secured(response)

        return answer

    def _refusal(self, request: Request, refused: RefusedVisitError) -> Response:
        """Answer a request that is refused: with the login form where that helps."""
        refusal, status = refused.refusal, _STATUS[refused.refusal]
        headers = {}
        if refused.wait:
            headers["Retry-After"] = str(math.ceil(refused.wait))
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if "text/html" not in request.headers.get("accept", ""):
            return _secured(PlainTextResponse(f"{refusal}\n", status, headers))
        wanted = request.url.path if request.method == "GET" else f"{root_of(request)}/calls"
        html = self._templates.render(
            "refused.html",
            root_of(request),
            refusal=refusal,
            wait=math.ceil(refused.wait),
            asks=refusal in _ASKS_AGAIN and self._access.needs_token,
            first=refusal is Refusal.LOGIN,
            off=refusal is Refusal.OFF,
            wanted=wanted,
            # a strict cookie is not sent when a link of another site is followed
            again=request.headers.get("sec-fetch-site") == "cross-site",
        )
        return _secured(HTMLResponse(html, status, headers))


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, the first of each name.

    Args:
        request: What carries it.

    Raises:
        RefusedVisitError: It is none of ours: too long, too slow or of another kind.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedVisitError(Refusal.FORGED)
    body = bytearray()
    try:
        async with asyncio.timeout(_FORM):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LARGEST_FORM:
                    raise RefusedVisitError(Refusal.FORGED)
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (TimeoutError, ClientDisconnect, ValueError):
        raise RefusedVisitError(Refusal.FORGED) from None
    return dict(reversed(pairs))


def root_of(request: Request) -> str:
    """Return the path below which the page is mounted; empty for none."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _wanted(request: Request, fields: Mapping[str, str]) -> str:
    """Return where a login leads: to what was asked for, and nowhere else."""
    root, wanted = root_of(request), fields.get("wanted", "")
    parts = urlsplit(wanted)
    inside = parts.path.startswith(f"{root}/") and not wanted.startswith("//")
    if parts.scheme or parts.netloc or not inside or "\\" in wanted or not wanted.isprintable():
        return f"{root}/calls"
    return parts.path


def _secured(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response

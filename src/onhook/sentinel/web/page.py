"""The page: what an operator sees of all calls, and the one switch that they may turn."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from onhook.errors import JournalError, OnhookError
from onhook.sentinel.parts import Parts
from onhook.sentinel.web.access import Access, Visitor
from onhook.sentinel.web.gate import Gate, root_of
from onhook.sentinel.web.incident_views import IncidentView
from onhook.sentinel.web.live import EventStream, Feed, LiveUpdates, fingerprint
from onhook.sentinel.web.outage_form import DURATIONS, SCOPES, read_outage_form
from onhook.sentinel.web.outage_turn import turn_off, turn_on
from onhook.sentinel.web.page_data import PageData
from onhook.sentinel.web.page_parts import Strip
from onhook.sentinel.web.rendering import Templates
from onhook.sentinel.web.response_headers import STATIC_HEADERS, STREAM_HEADERS
from onhook.sentinel.web.workers import Workers

__all__ = ["Page"]

logger = logging.getLogger("onhook")

_STATIC = Path(__file__).with_name("static")
_MOST_INCIDENTS = 1_000
_FEW_INCIDENTS = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of the page as it is shown.

    Args:
        strip: What stands at the top of all parts.
        content: Its own.
    """

    strip: Strip
    content: object


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page.

    Args:
        name: Its path.
        title: Its heading.
        look: Returns what it shows.
        period: Seconds between two looks while somebody has it open.
    """

    name: str
    title: str
    look: Callable[[], Awaitable[object]]
    period: float


class Page:
    """Serves the page. An operator of a sentinel that has no token is on its machine.

    Args:
        parts: The sentinel's.
        wall: Seconds since 1970.
    """

    def __init__(self, parts: Parts, *, wall: Callable[[], float] = time.time) -> None:
        given = parts.given
        self._parts = parts
        self._wall = wall
        self._workers = Workers(given.workers, wall=wall)
        self._data = data = PageData(parts, self._workers, wall=wall)
        self._templates = Templates(wall=wall)
        self.access = Access(given.token, wall=wall)
        self._gate = Gate(self.access, self._templates)
        self.live = LiveUpdates()
        self._sections = (
            Part("calls", "Calls now", data.calls, 0.5),
            Part("incidents", "Incidents", data.incidents, 2.0),
            Part("records", "Records", data.records, 10.0),
            Part("workers", "Workers", data.workers, 2.0),
            Part("plans", "Plans", data.plans, 2.0),
            Part("outages", "Outages", data.outages, 2.0),
        )

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Its routes, for the sentinel's application."""
        read, change = self._gate.reading, self._gate.changing
        sections = [
            route
            for part in self._sections
            for route in (
                Route(f"/{part.name}", read(partial(self._part, part)), methods=["GET"]),
                Route(f"/live/{part.name}", read(partial(self._live, part)), methods=["GET"]),
            )
        ]
        return (
            *sections,
            Route("/", read(self._home), methods=["GET"]),
            Route("/login", self._gate.login, methods=["GET", "POST"]),
            Route("/logout", change(self._logout), methods=["POST"]),
            Route("/incidents/{incident}", read(self._incident), methods=["GET"]),
            Route("/outages/on", change(self._turn_on), methods=["POST"]),
            Route("/outages/off", change(self._turn_off), methods=["POST"]),
            Route("/live/incidents/{incident}", read(self._live_incident), methods=["GET"]),
            Mount("/static", _Static(directory=_STATIC)),
        )

    async def run(self, *, local: bool) -> None:
        """Let visitors in, and ask the workers how they are, for as long as it is served.

        Args:
            local: Whether the sentinel listens on loopback alone: then no token is needed.
        """
        self.access.local = local
        if self.access.off:
            logger.warning(
                "the page is off: whoever reaches this sentinel could read it. Give it a token "
                "(ONHOOK_SENTINEL_TOKEN, or --token-file FILE)"
            )
        await self._workers.run()

    async def aclose(self) -> None:
        """End what is sent to open pages, and close files."""
        await self.live.aclose()
        self._data.close()

    async def _home(self, request: Request, _: Visitor) -> Response:
        return RedirectResponse(f"{root_of(request)}/calls", HTTPStatus.SEE_OTHER)

    async def _part(self, part: Part, request: Request, visitor: Visitor) -> Response:
        return await self._answer(request, visitor, self._sized(part, request))

    async def _live(self, part: Part, request: Request, visitor: Visitor) -> Response:
        return self._stream(request, visitor, self._sized(part, request))

    def _sized(self, part: Part, request: Request) -> Part:
        """Return the part with as many incidents as were asked for: few, or many."""
        if part.name != "incidents" or request.query_params.get("show") != "more":
            return part
        look = partial(self._data.incidents, _MOST_INCIDENTS)
        return Part("incidents?show=more", part.title, look, 5.0)

    async def _incident(self, request: Request, visitor: Visitor) -> Response:
        return await self._answer(request, visitor, self._of_incident(request))

    async def _live_incident(self, request: Request, visitor: Visitor) -> Response:
        return self._stream(request, visitor, self._of_incident(request))

    def _of_incident(self, request: Request) -> Part:
        incident = str(request.path_params["incident"])[:100]
        look = partial(self._one_incident, incident)
        return Part(f"incidents/{incident}", f"Incident {incident}", look, 1.0)

    async def _one_incident(self, incident: str) -> IncidentView | str:
        try:
            found = await self._data.incident(incident)
        except JournalError as error:
            return str(error)
        return found or ""

    async def _turn_on(
        self, request: Request, visitor: Visitor, fields: Mapping[str, str]
    ) -> Response:
        given = self._parts.given
        try:
            await turn_on(given.outages, read_outage_form(fields), given.own)
        except OnhookError as error:
            return await self._outages_again(request, visitor, str(error), fields)
        return RedirectResponse(f"{root_of(request)}/outages", HTTPStatus.SEE_OTHER)

    async def _turn_off(
        self, request: Request, visitor: Visitor, fields: Mapping[str, str]
    ) -> Response:
        by = fields.get("by", "").strip() or "somebody"
        try:
            await turn_off(self._parts.given.outages, fields.get("outage", ""), by)
        except OnhookError as error:
            return await self._outages_again(request, visitor, str(error), {})
        return RedirectResponse(f"{root_of(request)}/outages", HTTPStatus.SEE_OTHER)

    async def _outages_again(
        self, request: Request, visitor: Visitor, mistake: str, fields: Mapping[str, str]
    ) -> Response:
        part = next(part for part in self._sections if part.name == "outages")
        words = self._data.words.text(mistake)
        return await self._answer(request, visitor, part, mistake=words, fields=fields)

    async def _logout(
        self, request: Request, visitor: Visitor, fields: Mapping[str, str]
    ) -> Response:
        root = root_of(request)
        response = RedirectResponse(f"{root}/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(
            self.access.cookie, path=root or "/", httponly=True, samesite="strict"
        )
        return response

    async def _look(self, part: Part) -> Shown:
        content = await part.look()
        return Shown(self._data.strip(), content)

    async def _answer(
        self,
        request: Request,
        visitor: Visitor,
        part: Part,
        *,
        mistake: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> Response:
        shown = await self._look(part)
        status = HTTPStatus.NOT_FOUND if shown.content == "" else HTTPStatus.OK
        if mistake:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        html = self._templates.render(
            "page.html",
            root_of(request),
            part=part,
            here=part.name.partition("/")[0].partition("?")[0],
            sections=self._sections,
            shown=shown,
            state=fingerprint(shown),
            csrf=visitor.csrf,
            can_leave=self.access.needs_token,
            mistake=mistake,
            fields=fields or {},
            scopes=SCOPES,
            durations=DURATIONS,
        )
        return HTMLResponse(html, status)

    def _stream(self, request: Request, visitor: Visitor, part: Part) -> Response:
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
        feed = Feed(part.name, partial(self._look, part), partial(self._render, part), part.period)
        left = visitor.until - self._wall()
        events = self.live.stream(feed, root_of(request), seen[:64], seconds=left)
        return EventStream(events, STREAM_HEADERS)

    def _render(self, part: Part, shown: Shown, root: str) -> str:
        here = part.name.partition("/")[0].partition("?")[0]
        return self._templates.render("live.html", root, part=part, here=here, shown=shown)


class _Static(StaticFiles):
    """Styles and scripts: nobody need be let in for them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = ((k.lower().encode(), v.encode()) for k, v in STATIC_HEADERS.items())
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await super().__call__(scope, receive, secured)

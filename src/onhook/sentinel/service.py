"""`onhook sentinel run`: one sentinel from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.rtc_exit import exit_after_callbacks
from onhook.sentinel.host_calls import HostCalls
from onhook.sentinel.metrics.state_collector import StateCollector
from onhook.sentinel.monitoring_routes import MonitoringRoutes
from onhook.sentinel.parts import Parts
from onhook.sentinel.readiness import Readiness
from onhook.sentinel.sentinel_settings import SentinelSettings
from onhook.sentinel.signals.incident_reports import IncidentReports
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.serving import serve as serve_app
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from onhook.sentinel.status import failing, status
from onhook.sentinel.web.page import Page
from onhook.sentinel.webhook_keys import believed_keys
from onhook.sinks.journal.case_file import iso
from onhook.tasks import end

__all__ = ["Sentinel", "run", "serve"]

logger = logging.getLogger("onhook")

_FINISH = 2.2
"""Seconds that rescues may finish by themselves when the process is told to end; then each releases
its line within `Policy.cancel_grace` (2 s)."""
_END = 5.0
_COLLECT = (10_000, 20, 50)
"""`gc.set_threshold`: a full collection after ten million objects more instead of 70,000."""
_NO_WEBHOOK = 20.0
"""Seconds after the first call was seen by which a webhook should have come."""


def run(given: SentinelSettings) -> None:
    """Run a sentinel until SIGTERM or SIGINT; server and key come from the environment.

    Args:
        given: What it was told.

    Raises:
        OnhookError: It cannot begin.
    """
    if not logging.getLogger().handlers:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
    exit_after_callbacks()
    asyncio.run(serve(given))


async def serve(given: SentinelSettings) -> None:
    """Run a sentinel on this loop until SIGTERM or SIGINT.

    Args:
        given: What it was told.

    Raises:
        OnhookError: It cannot begin.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, told.set)
    try:
        async with contextlib.AsyncExitStack() as ends:
            sentinel = await ends.enter_async_context(Sentinel(given, Credentials.from_env()))
            _collect_rarely()
            await sentinel.run_until(told)
    finally:
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sig)


def _collect_rarely() -> None:
    """Keep garbage collections from blocking the loop: they grow with the calls that are tracked.

    Each list of 20,000 rooms makes objects enough for a full collection, which then takes 60 to 140
    ms. What is tracked has no cycles; young garbage that has is still collected, and all of it now
    and then.
    """
    gc.collect()
    gc.freeze()  # what was imported stays for good
    gc.set_threshold(*_COLLECT)


class Sentinel:
    """A sentinel that runs. An async context manager.

    Args:
        given: What it was told.
        credentials: Server and key.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        given: SentinelSettings,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signed = signed = SignedBodies(believed_keys(credentials, given.webhook_keys))
        self._given = given
        self._credentials = credentials
        self._since = time.time()
        self.port: int | None = None
        """Where it listens, once it does."""
        self._parts = Parts(given, credentials, clock=clock)
        self._ends = contextlib.AsyncExitStack()
        readiness = Readiness(self._parts)
        self._receiver = Receiver(
            *(Webhooks(signed), Leases(signed), self._parts.hear),
            reports=IncidentReports(signed),
            health=self._health,
            stuck=readiness.stuck,
        )
        metrics = self._parts.metrics
        metrics.add(StateCollector(self._parts, self._receiver, readiness, metrics.agents))
        self._page = Page(self._parts)
        monitoring = MonitoringRoutes(metrics, readiness, self.host_calls, self._page.access)
        monitoring.add_to(self._receiver.app)
        told = Route("/status", self._tell_status, methods=["GET"])
        self._receiver.app.router.routes.extend((told, *self._page.routes))

    async def __aenter__(self) -> Sentinel:
        async with contextlib.AsyncExitStack() as ends:
            ends.push_async_callback(self._parts.aclose)
            ends.push_async_callback(self._page.aclose)
            await self._parts.rescuer.prepare()
            await ends.enter_async_context(self._parts.fleet)
            self._ends = ends.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ends.aclose()

    @property
    def app(self) -> Starlette:
        """All that it answers by HTTP: serve it, or mount it into an application."""
        return self._receiver.app

    def status(self) -> Mapping[str, Any]:
        """Return how it is; nothing secret."""
        keys = self._signed.signed_at.items()
        signed = {key: "never" if at is None else iso(at) for key, at in keys}
        return {**status(self._parts, self._receiver, self._since), "signed_at": signed}

    def host_calls(self, host: str) -> HostCalls:
        """Return how many calls a host answers for: whether it is safe to stop it.

        Args:
            host: Its name.
        """
        return HostCalls.of(host, self._parts.table.hosts.standings(self._parts.clock()))

    async def run_until(self, told: asyncio.Event, *, listens: bool = True) -> None:
        """Watch until told to end; then finish what is under way, within 5 s.

        Args:
            told: Tells it.
            listens: Whether it serves `app` itself, where its settings say.

        Raises:
            OnhookError: It cannot listen where it should.
            Exception: What a part of it has raised, which is a bug.
        """
        where = self._given.webhook
        parts = [
            self._parts.poll.run(),
            self._parts.watch.quick(),
            self._parts.watch.rounds(),
            self._parts.plans.watch(),
            self._parts.unfinished.watch(),
            _apart("call records", self._parts.records.watch()),
            _apart("the page", self._page.run(local=listens and where.loopback)),
            self._miss_webhooks(),
        ]
        if not self._given.observe:
            parts.append(_apart("canaries", self._parts.canaries.run()))
        if listens:
            parts.append(serve_app(self.app, where.host, where.port, started=self._started))
        else:
            self._started(None)
        tasks = [asyncio.create_task(part) for part in parts]
        waiting = asyncio.create_task(told.wait())
        try:
            await asyncio.wait((waiting, *tasks), return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and not task.cancelled() and (error := task.exception()):
                    raise error
        finally:
            logger.info("ending: %d calls are attended to", len(self._parts.attendance.pool))
            waiting.cancel()
            await self._page.aclose()  # else the server waits for the pages that are open
            try:
                async with asyncio.timeout(_END):
                    await asyncio.gather(end(*tasks), self._parts.watch.aclose(_FINISH))
            except TimeoutError:
                logger.warning("ended before everything was finished")
        logger.info("ended")

    def _started(self, port: int | None) -> None:
        self.port = port
        mode = "observe: nothing is done to any call" if self._given.observe else "act"
        where = "where it is mounted" if port is None else f"at {self._given.webhook.host}:{port}"
        logger.info(
            "watching the calls of %s; mode %s; webhooks and leases %s, none seen yet; "
            "all rooms are listed every %g s",
            *(self._credentials.url, mode, where, self._given.poll),
        )

    async def _miss_webhooks(self) -> None:
        """Say once that calls are seen and no webhook comes."""
        while not len(self._parts.table):  # noqa: ASYNC110 - a table tells nobody
            await asyncio.sleep(1.0)
        await asyncio.sleep(_NO_WEBHOOK)
        if self._receiver.webhook_at is None:
            logger.warning(
                "calls are found by polling alone: no webhook has come. Name http://THIS-HOST%s/"
                "webhook in `webhook.urls` of LiveKit's configuration, with the key %s",
                *(":PORT/PREFIX" if self.port is None else f":{self.port}", self._credentials.key),
            )
        await asyncio.Event().wait()

    def _health(self) -> Mapping[str, object]:
        told = "failing" if failing(self._parts) else "ok"
        return {"status": told, "calls": len(self._parts.table)}

    async def _tell_status(self, _: Request) -> Response:
        return JSONResponse(self.status())


async def _apart(what: str, work: Awaitable[None]) -> None:
    """See to a part without which calls are watched all the same, whatever becomes of it."""
    try:
        await work
    except Exception:
        logger.exception("%s: this has ended, which is a bug; calls are watched all the same", what)
    await asyncio.Event().wait()

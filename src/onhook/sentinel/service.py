"""`onhook sentinel run`: one sentinel from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onhook import settings as places
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.livekit.voice_packets import sends_voice
from onhook.outages import OutageFile
from onhook.sentinel.attendance import Attendance
from onhook.sentinel.calls import CallTable
from onhook.sentinel.canary import Canaries
from onhook.sentinel.confirmation import Confirmation
from onhook.sentinel.fleet.fleet import Fleet, fleet_name
from onhook.sentinel.fleet.once import once
from onhook.sentinel.plans_file import PlansFile
from onhook.sentinel.plans_in_force import PlansInForce
from onhook.sentinel.probes import Prober
from onhook.sentinel.rescuer import CallRescuer
from onhook.sentinel.scanners import Scanners
from onhook.sentinel.second_dispatch import SecondDispatches
from onhook.sentinel.sentinel_settings import SentinelSettings
from onhook.sentinel.sightings import Sighting
from onhook.sentinel.signals.budget import Budget, Use
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.poll import Poll, list_members
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.serving import serve as serve_app
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from onhook.sentinel.unfinished import Unfinished
from onhook.sentinel.watch import Watch
from onhook.sinks.journal import Journal, SqliteJournal
from onhook.sinks.journal.case_file import iso
from onhook.tasks import end

__all__ = ["Sentinel", "run", "serve"]

logger = logging.getLogger("onhook")

_API = 2.5
"""Seconds for a request that no rung sends."""
_FINISH = 2.2
"""Seconds that rescues may finish by themselves when the process is told to end; then each releases
its line within `Policy.cancel_grace` (2 s)."""
_END = 5.0
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
            await sentinel.run_until(told)
    finally:
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sig)


class Sentinel:
    """All parts of a sentinel, put together. An async context manager.

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
        self._given = given
        self._credentials = credentials
        self._clock = clock
        self._since = time.time()
        self.port: int | None = None
        """Where it listens, once it does."""
        self._journal: Journal = SqliteJournal(given.journal)
        self._server = ServerApi(credentials, timeout=_API)
        self._budget = Budget(given.budget, clock=clock)
        self._table = CallTable()
        file = None if given.plans is None else PlansFile(given.plans)
        self._plans = PlansInForce(file, OutageFile(given.outages), period=given.reload)
        self._prober = Prober(credentials, spend=lambda: self._budget.spend(Use.PROBE))
        name = fleet_name(credentials, observe=given.observe)
        self._fleet = Fleet(
            redis=given.redis,
            file=_claims_file(given, name),
            name=name,
            receive=self._take,
            clock=clock,
        )
        self._rescuer = CallRescuer.of(credentials, self._journal, clock=clock)
        self._second = SecondDispatches(
            self._rescuer.line,
            lambda room: self._table.view(room, clock()),
            once=lambda key: once(self._fleet.claims, key, "second-dispatch", self._fleet.owner),
            clock=clock,
        )
        self._scanners = Scanners(self._rescuer.line, clock=clock)
        confirmation = Confirmation(
            self._table,
            self._plans.judge,
            listed=lambda room: list_members(self._server, room, clock=clock),
            sent=self._server.dispatches,
            ask=self._prober.ask,
            sends=lambda room, agent: sends_voice(credentials, room, agent),
            budget=self._budget,
            clock=clock,
        )
        self._attendance = Attendance(
            confirmation,
            self._rescuer,
            self._fleet.claims,
            self._plans.plan,
            owner=self._fleet.owner,
            observe=given.observe,
            clock=clock,
        )
        self._watch = Watch(
            self._table,
            self._plans,
            self._attendance,
            self._second,
            self._scanners,
            ask=self._prober.ask,
            affordable=lambda: int(self._budget.spare) // 2,
            affordable_again=lambda: max(0, int(self._budget.left) // 2),
            observe=given.observe,
            leads=lambda: self._fleet.judges(self._poll.listed_at),
            clock=clock,
        )
        self._poll = Poll(
            self._server,
            self._watch.receive,
            self._watch.wants,
            self._budget,
            period=given.poll,
            leads=lambda: self._fleet.leads,
            clock=clock,
        )
        self._canaries = Canaries(
            given.canary,
            self._server,
            spend=lambda requests: self._fleet.leads and self._budget.spend(Use.CANARY, requests),
            clock=clock,
        )
        self._unfinished = Unfinished(
            self._fleet.claims,
            lambda room: list_members(self._server, room, clock=clock),
            self._rescuer.sinks,
            affordable=lambda: self._budget.spend(Use.MEMBERS),
            owner=self._fleet.owner,
            leads=lambda: self._fleet.leads,
            clock=clock,
        )
        self._receiver = self._receiving()

    def _receiving(self) -> Receiver:
        signed = SignedBodies({self._credentials.key: self._credentials.secret})
        receiver = Receiver(Webhooks(signed), Leases(signed), self._hear, health=self._health)
        receiver.app.router.routes.append(Route("/status", self._tell_status, methods=["GET"]))
        return receiver

    def _take(self, sighting: Sighting) -> None:
        self._watch.receive(sighting)

    def _hear(self, sighting: Sighting) -> None:
        """Take in what came by a webhook or a lease, and tell the other sentinels."""
        self._take(sighting)
        self._fleet.tell(sighting)

    async def __aenter__(self) -> Sentinel:
        await self._rescuer.prepare()
        await self._fleet.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._fleet.__aexit__()
        await self._prober.aclose()
        await self._server.aclose()
        if isinstance(self._journal, SqliteJournal):
            self._journal.close()

    async def run_until(self, told: asyncio.Event) -> None:
        """Watch until told to end; then finish what is under way, within 5 s.

        Args:
            told: Tells it.

        Raises:
            OnhookError: It cannot listen where it should.
            Exception: What a part of it has raised, which is a bug.
        """
        where = self._given.webhook
        parts = [
            serve_app(self._receiver.app, where.host, where.port, started=self._started),
            self._poll.run(),
            self._watch.quick(),
            self._watch.rounds(),
            self._plans.watch(),
            self._unfinished.watch(),
            self._miss_webhooks(),
        ]
        if not self._given.observe:
            parts.append(self._canaries.run())
        tasks = [asyncio.create_task(part) for part in parts]
        waiting = asyncio.create_task(told.wait())
        try:
            await asyncio.wait((waiting, *tasks), return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and not task.cancelled() and (error := task.exception()):
                    raise error
        finally:
            logger.info("ending: %d calls are attended to", len(self._attendance.pool))
            waiting.cancel()
            try:
                async with asyncio.timeout(_END):
                    await asyncio.gather(end(*tasks), self._watch.aclose(_FINISH))
            except TimeoutError:
                logger.warning("ended before everything was finished")
        logger.info("ended")

    def _started(self, port: int) -> None:
        self.port = port
        mode = "observe: nothing is done to any call" if self._given.observe else "act"
        host = self._given.webhook.host
        logger.info(
            "watching the calls of %s; mode %s; webhooks and leases at %s:%d, none seen yet; "
            "all rooms are listed every %g s",
            *(self._credentials.url, mode, host, port, self._given.poll),
        )

    async def _miss_webhooks(self) -> None:
        """Say once that calls are seen and no webhook comes."""
        while not len(self._table):  # noqa: ASYNC110 - a table tells nobody
            await asyncio.sleep(1.0)
        await asyncio.sleep(_NO_WEBHOOK)
        if self._receiver.webhook_at is None:
            logger.warning(
                "calls are found by polling alone: no webhook has come. Name http://THIS-HOST:%s/"
                "webhook in `webhook.urls` of LiveKit's configuration, with the key %s",
                *(self.port, self._credentials.key),
            )
        await asyncio.Event().wait()

    @property
    def _failing(self) -> list[str]:
        """What keeps it from its work now."""
        found = []
        if self._poll.error is not None:
            found.append(f"LiveKit's API: {self._poll.error}")
        if self._attendance.breaker.open:
            found.append("LiveKit's API fails too often: suspicions are not followed for a while")
        if self._plans.problem:
            found.append(f"the file of plans: {self._plans.problem}")
        if (health := self._fleet.health) is not None and health.degraded:
            found.append(f"this sentinel goes on alone since {iso(health.since)}: {health.why}")
        return found

    def _health(self) -> Mapping[str, object]:
        return {"status": "failing" if self._failing else "ok", "calls": len(self._table)}

    async def _tell_status(self, _: Request) -> Response:
        return JSONResponse(self.status())

    def status(self) -> Mapping[str, Any]:
        """Return how it is, for `onhook sentinel status`; nothing secret."""
        now = self._clock()
        polled = self._poll.listed_at
        return {
            "since": round(self._since),
            "mode": "observe" if self._given.observe else "act",
            "calls": len(self._table),
            "callers_waiting": sum(1 for _ in self._table.uneasy(now)),
            "incidents": {
                "under_way": len(self._attendance.pool),
                "endings": dict(self._attendance.endings),
                "faults": dict(self._attendance.faults),
                "unconfirmed": self._attendance.unconfirmed,
            },
            "api_spent": {str(use): count for use, count in self._budget.spent.items()},
            "api_held_back": {str(use): count for use, count in self._budget.held_back.items()},
            "webhooks": dict(self._receiver.events),
            "leases": self._receiver.lease_count,
            "polls": {"last": None if polled is None else f"{now - polled:.1f} s ago"},
            "second_dispatches": self._second.sent,
            "scanners": self._scanners.removed,
            "canaries": {agent: str(r.state) for agent, r in self._canaries.latest.items()},
            "outages": [outage.what for outage in self._plans.outages],
            "journal": str(self._given.journal or places.places().journal or "none"),
            "fleet": self._fleet.status(),
            "failing": self._failing,
        }


def _claims_file(given: SentinelSettings, name: str) -> Path | None:
    """Return where claims are kept while nothing is shared: beside the journal."""
    journal = given.journal or places.places().journal
    return None if journal is None else journal.parent / f"sentinel-{name}.db"

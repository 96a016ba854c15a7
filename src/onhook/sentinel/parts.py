"""All parts of a sentinel, put together; nothing of them runs yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from onhook import settings as places
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.livekit.voice_packets import sends_voice
from onhook.outages import OutageFile
from onhook.sentinel.attendance import Attendance
from onhook.sentinel.calls import CallTable
from onhook.sentinel.canary import Canaries
from onhook.sentinel.confirmation import Confirmation
from onhook.sentinel.expected_agents import ExpectedAgents
from onhook.sentinel.fleet.fleet import Fleet, fleet_name
from onhook.sentinel.fleet.once import once
from onhook.sentinel.metrics.sentinel_metrics import SentinelMetrics
from onhook.sentinel.plans_file import PlansFile
from onhook.sentinel.plans_in_force import PlansInForce
from onhook.sentinel.probes import Prober
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.records import Records
from onhook.sentinel.rescuer import CallRescuer
from onhook.sentinel.scanners import Scanners
from onhook.sentinel.second_dispatch import SecondDispatches
from onhook.sentinel.sentinel_settings import SentinelSettings
from onhook.sentinel.sightings import Sighting
from onhook.sentinel.signals.budget import Budget, Use
from onhook.sentinel.signals.poll import Poll, list_members
from onhook.sentinel.telemetry import IncidentSpans
from onhook.sentinel.unfinished import Unfinished
from onhook.sentinel.watch import Watch
from onhook.sinks.journal import SqliteJournal

__all__ = ["Parts"]

_API = 2.5
"""Seconds for a request that no rung sends."""


class Parts:
    """The parts of a sentinel, each with those that it needs.

    Args:
        given: What the sentinel was told.
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
        self.given = given
        self.credentials = credentials
        self.clock = clock
        self.journal = SqliteJournal(given.journal)
        self.server = ServerApi(credentials, timeout=_API)
        self.budget = Budget(given.budget, clock=clock)
        self.table = CallTable()
        file = None if given.plans is None else PlansFile(given.plans, own=given.own)
        self.plans = PlansInForce(file, OutageFile(given.outages), period=given.reload)
        self.prober = Prober(credentials, spend=lambda: self.budget.spend(Use.PROBE))
        name = fleet_name(credentials, observe=given.observe)
        self.fleet = Fleet(
            redis=given.redis,
            file=_claims_file(given, name),
            name=name,
            receive=self.take,
            clock=clock,
        )
        self.metrics = SentinelMetrics(
            mode="observe" if given.observe else "act", leads=lambda: self.fleet.leads
        )
        self.spans = IncidentSpans(mask=NumberMask.from_env().text, leads=lambda: self.fleet.leads)
        self.records = Records(
            self.table,
            _records_file(given),
            told=(self.journal, self.metrics.incidents, self.spans),
            counted=self.metrics.calls,
            fleet=self.fleet,
            mask=NumberMask(whole=given.whole_numbers),
            webhook=given.call_webhook,
            shared=bool(given.redis),
            clock=clock,
        )
        sinks = (self.metrics.incidents, self.spans, self.records.sink)
        self.rescuer = CallRescuer.of(
            credentials,
            self.journal,
            sinks=sinks,
            asked=lambda: self.budget.spend(Use.RESCUE),
            clock=clock,
        )
        self.expected = ExpectedAgents(self.plans.plan)
        self.second = SecondDispatches(
            self.rescuer.line,
            lambda room: self.table.view(room, clock()),
            expected=self.expected.expected,
            once=lambda key: once(self.fleet.claims, key, "second-dispatch", self.fleet.owner),
            clock=clock,
        )
        self.scanners = Scanners(self.rescuer.line, clock=clock)
        confirmation = Confirmation(
            self.table,
            self.plans.judge,
            listed=lambda room: list_members(self.server, room, clock=clock),
            sent=self.server.dispatches,
            expected=self.expected.expected,
            ask=lambda room, agent: self.prober.ask(room, agent, spend=self.budget.confirm),
            sends=lambda room, agent: sends_voice(credentials, room, agent),
            budget=self.budget,
            clock=clock,
        )
        self.attendance = Attendance(
            confirmation,
            self.rescuer,
            self.fleet.claims,
            self.plans.plan,
            owner=self.fleet.owner,
            observe=given.observe,
            tell=self.metrics.incidents.attended,
            clock=clock,
        )
        self.watch = Watch(
            self.table,
            self.plans,
            self.attendance,
            self.second,
            self.scanners,
            learn=self.expected.learn,
            ask=self.prober.ask,
            affordable=lambda: int(self.budget.spare) // 2,
            affordable_again=lambda: int(self.budget.free(Use.PROBE)) // 2,
            observe=given.observe,
            leads=lambda: self.fleet.judges(self.poll.listed_at),
            clock=clock,
        )
        self.poll = Poll(
            self.server,
            self.take,
            self.watch.wants,
            self.budget,
            between=lambda: self.table.ringing_on(clock()),
            overdue=lambda room: self.table.is_overdue(room, clock()),
            period=given.poll,
            leads=lambda: self.fleet.leads,
            clock=clock,
        )
        self.canaries = Canaries(
            given.canary,
            self.server,
            spend=lambda requests: self.fleet.leads and self.budget.spend(Use.CANARY, requests),
            clock=clock,
        )
        self.unfinished = Unfinished(
            self.fleet.claims,
            lambda room: list_members(self.server, room, clock=clock),
            self.rescuer.sinks,
            affordable=lambda: self.budget.spend(Use.MEMBERS),
            owner=self.fleet.owner,
            leads=lambda: self.fleet.leads,
            clock=clock,
        )

    def take(self, sighting: Sighting) -> None:
        """Take in what was listed, or what another sentinel has heard."""
        if not self.records.take(sighting):
            self.watch.receive(sighting)

    def hear(self, sighting: Sighting) -> None:
        """Take in what came by a webhook or a lease, and tell the other sentinels."""
        self.take(sighting)
        self.fleet.tell(sighting)

    async def aclose(self) -> None:
        """Close connections and files."""
        await self.records.aclose()
        await self.prober.aclose()
        await self.server.aclose()
        self.journal.close()


def _records_file(given: SentinelSettings) -> Path | None:
    """Return where call records are kept: where it was told, else beside the journal."""
    if given.records is None and given.journal is not None:
        return given.journal.parent / "calls.db"
    return given.records or places.records()


def _claims_file(given: SentinelSettings, name: str) -> Path | None:
    """Return where claims are kept while nothing is shared: beside the journal."""
    journal = given.journal or places.places().journal
    return None if journal is None else journal.parent / f"sentinel-{name}.db"

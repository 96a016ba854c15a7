"""A sentinel's loop in steps of a quarter of a second: webhooks, polls, probes, judgements."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import (
    is_scanner_due,
    is_second_dispatch_due,
    probes_due,
    suspicion,
)
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import HostLease, MembersListed, RoomsListed, Sighting
from onhook.sentinel.suspicion import Suspicion
from tests.sentinel.world import World

STEP = 0.25
POLL = 2.0
_PROBE = 2.5

Script = Iterable[tuple[float, Callable[[World], object]]]


@dataclass(frozen=True)
class Webhooks:
    """How they are delivered."""

    dropped: float = 0.0
    twice: float = 0.0
    delay: float = 0.0
    seed: int = 0


ALL_AT_ONCE = Webhooks()
NONE = Webhooks(dropped=1.0)
UNRELIABLE = Webhooks(dropped=0.3, twice=0.3, delay=3.0)


class Watch:
    """Runs a script of what happens before a sentinel.

    Args:
        script: What happens when, in seconds.
        webhooks: How they are delivered.
        limits: How long things may last.
        leases: The leases that hosts give at a time, each second.
        blind: When no request is answered: from, to.
    """

    def __init__(
        self,
        script: Script,
        webhooks: Webhooks = ALL_AT_ONCE,
        limits: Limits | None = None,
        *,
        leases: Callable[[float], Iterable[HostLease]] = lambda _: (),
        offset: float = 0.6,
        blind: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.world = World()
        self.table = CallTable()
        self.limits = limits or Limits()
        self.suspicions: list[tuple[float, Suspicion]] = []
        self.dispatches: list[tuple[float, str]] = []
        self.scanners: list[tuple[float, str]] = []
        self._script = sorted(script, key=lambda step: step[0])
        self._webhooks = webhooks
        self._random = random.Random(webhooks.seed)  # noqa: S311 - tests
        self._leases = leases
        self._blind = blind
        self._next_poll = offset
        self._next_lease = 0.0
        self._coming: list[tuple[float, int, Sighting]] = []
        self._asked: list[tuple[float, str, str, ProbeResult, float]] = []
        self._order = itertools.count()

    def until(self, end: float) -> Watch:
        """Go on to a time."""
        while self.world.now < end:
            self._step()
            self.world.now += STEP
        return self

    def first(self) -> tuple[float, str] | None:
        """Return when something was suspected first, and what."""
        return (self.suspicions[0][0], self.suspicions[0][1].fault) if self.suspicions else None

    def _step(self) -> None:
        now, world = self.world.now, self.world
        while self._script and self._script[0][0] <= now:
            self._script.pop(0)[1](world)
        for _, sighting in world.events:
            self._send(sighting, now)
        world.events.clear()
        while self._coming and self._coming[0][0] <= now:
            self.table.take(heapq.heappop(self._coming)[2], now)
        if now >= self._next_lease:
            self._next_lease += 1.0
            for lease in self._leases(now):
                self.table.take(lease, now)
        if now >= self._next_poll:
            self._next_poll += POLL
            self._poll(now)
        self._probe(now)
        self._judge(now)

    def _send(self, sighting: Sighting, now: float) -> None:
        how, chance = self._webhooks, self._random
        if chance.random() < how.dropped:
            return
        for _ in range(2 if chance.random() < how.twice else 1):
            late = chance.uniform(0, how.delay) if how.delay else 0.0
            heapq.heappush(self._coming, (now + late, next(self._order), sighting))

    def _poll(self, now: float) -> None:
        if self._blind[0] <= now < self._blind[1]:
            return
        self.table.take(RoomsListed(now, self.world.listed_rooms()), now)
        for room in self.table.wants(now):
            listed = MembersListed(room, now, self.world.listed_members(room))
            self.table.take(listed, now)

    def _probe(self, now: float) -> None:
        for answer in [a for a in self._asked if a[0] <= now]:
            self._asked.remove(answer)
            _, room, sid, result, asked = answer
            self.table.probed(room, sid, result, asked, now)
        busy = {(room, sid) for _, room, sid, _, _ in self._asked}
        for probe in probes_due(self.table.views(now), now, self.limits, most=2):
            if (probe.room, probe.sid) in busy:
                continue
            result = self.world.ask(probe.sid)
            after = 0.0 if result is ProbeResult.ANSWERED else _PROBE
            self._asked.append((now + after, probe.room, probe.sid, result, now))

    def _judge(self, now: float) -> None:
        for view in self.table.views(now):
            found = suspicion(view, now, self.limits)
            if found is not None:
                self.suspicions.append((now, found))
            if is_second_dispatch_due(view, now, self.limits):
                self.dispatches.append((now, view.room))
            if is_scanner_due(view, now, self.limits):
                self.scanners.append((now, view.room))

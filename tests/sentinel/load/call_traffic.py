"""Thousands of calls that begin and end as those of a busy day, and broken ones among them."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from onhook.sentinel.sightings import HostLease, LeasedJob
from tests.sentinel.load.server_rooms import AGENT, SIP, ServerRooms

__all__ = ["Broken", "CallTraffic", "Host", "Planted"]

LASTS = 360.0
"""Seconds of a call, on the average."""
_STEP = 0.02


class Broken(StrEnum):
    """What goes wrong in a call."""

    NEVER_CAME = "agent never comes"
    LEFT = "agent leaves"
    HOST_LOST = "host's lease lapses"


@dataclass(frozen=True, slots=True)
class Planted:
    """One broken call.

    Args:
        room: Room name.
        broken: What went wrong.
        at: When, in seconds since 1970; of a lost host, when it renewed its last lease.
    """

    room: str
    broken: Broken
    at: float


@dataclass
class Host:
    """A host of agents with a watchdog, and the rooms of the calls that it answers for."""

    name: str
    jobs: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    renewed: float = 0.0
    """When its last lease was taken, in seconds since 1970."""

    def lease(self) -> HostLease:
        """Return what its watchdog posts."""
        jobs = (LeasedJob(room, agent, f"AJ_{room}") for room, agent in self.jobs.items())
        return HostLease(self.name, 3.0, tuple(jobs))


class CallTraffic:
    """Runs calls in a stand-in.

    Args:
        rooms: The stand-in's.
        dead: Takes the identities of agents whose host is lost.
        guarded: Part of the calls whose hosts have a watchdog.
        per_host: Calls of one host.
        seed: Decides how long each lasts.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        rooms: ServerRooms,
        dead: set[str],
        *,
        guarded: float = 0.5,
        per_host: int = 200,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.planted: list[Planted] = []
        self.begun = 0
        self._rooms = rooms
        self._dead = dead
        self._clock = clock
        self._number = 0
        self._from: float | None = None
        self._guarded = guarded
        self._per_host = per_host
        self._chance = random.Random(seed)  # noqa: S311 - tests
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.hosts: list[Host] = []
        self._lonely: list[tuple[Host, str]] = []
        """Hosts of one call each, to be lost one by one."""
        self._unguarded: set[str] = set()
        """Calls that began before the sentinel's eyes, and that no host answers for."""
        self._broken: set[str] = set()

    def fill(self, calls: int, lonely: int) -> None:
        """Let there be calls already, at any point of their time.

        Args:
            calls: How many.
            lonely: Of these, how many with a host of their own.
        """
        for each in range(calls):
            room, guarded = self._name(), each < lonely or self._chance.random() < self._guarded
            self._rooms.caller(room, answered=True, number=each)
            agent = self._rooms.agent(room).identity
            if each < lonely:
                host = Host(f"lonely-{each}", {room: agent})
                self.hosts.append(host)
                self._lonely.append((host, room))
                continue  # it lasts until its host is lost
            if guarded:
                self._covered(room, agent, guarded=True)
            self._after(self._chance.expovariate(1 / LASTS), partial(self._end, room))

    def step(self, calls: int) -> None:
        """Let happen what has become due, and new calls begin, so that about so many are there."""
        now = self._clock()
        if self._from is None:
            self._from = now
        while self._number < (now - self._from) * calls / LASTS:
            self._begin(self._number)
            self._number += 1
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    async def run(self, calls: int) -> None:
        """Keep about so many calls, for ever."""
        while True:
            self.step(calls)
            await asyncio.sleep(_STEP)

    def plant(self, broken: Broken) -> None:
        """Break a call now."""
        now = self._clock()
        match broken:
            case Broken.NEVER_CAME:
                room = self._name()
                self._rooms.caller(room, answered=False, number=9_000_000 + self.begun)
            case Broken.LEFT:
                room = self._chance.choice(sorted(self._unguarded))
                self._rooms.leave(room, self._rooms.identity(room, AGENT), "CONNECTION_TIMEOUT")
            case Broken.HOST_LOST:
                host, room = self._lonely.pop()
                host.lost, now = True, host.renewed
                self._dead.update(host.jobs.values())
        self._broken.add(room)
        self._unguarded.discard(room)
        self.planted.append(Planted(room, broken, now))

    def _begin(self, number: int) -> None:
        room = self._name()
        caller = self._rooms.caller(room, answered=False, number=number).identity
        comes = self._chance.uniform(0.2, 1.5)
        guarded = self._chance.random() < self._guarded

        def agent_comes() -> None:
            agent = self._rooms.agent(room).identity
            self._covered(room, agent, guarded=guarded)

        self._after(comes, agent_comes)
        self._after(comes + 0.3, lambda: self._rooms.answer(room, caller))
        self._after(comes + 1.0 + self._chance.expovariate(1 / LASTS), lambda: self._end(room))

    def _covered(self, room: str, agent: str, *, guarded: bool) -> None:
        if not guarded:
            self._unguarded.add(room)
            return
        if not self.hosts or len(self.hosts[-1].jobs) >= self._per_host or self._lonely_last:
            self.hosts.append(Host(f"host-{len(self.hosts)}"))
        self.hosts[-1].jobs[room] = agent

    @property
    def _lonely_last(self) -> bool:
        return self.hosts[-1].name.startswith("lonely")

    def _end(self, room: str) -> None:
        """End a healthy call: the caller hangs up, its agent goes, its room is closed."""
        if room in self._broken:
            return
        self._unguarded.discard(room)
        self._rooms.leave(room, self._rooms.identity(room, SIP), "CLIENT_INITIATED")
        for host in self.hosts:
            if host.jobs.pop(room, None) is not None:
                break
        self._after(0.3, lambda: self._rooms.close(room))

    def _name(self) -> str:
        self.begun += 1
        return f"call-_+1555{self.begun:07d}_{self._chance.getrandbits(48):012x}"

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._clock() + seconds, next(self._order), do))

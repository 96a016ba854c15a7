"""A whole sentinel before a `World`: all that judges and decides is real, the lines are not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from onhook.call import Call, Direction
from onhook.errors import ApiError
from onhook.incident import Mode
from onhook.line import Announcement, Dispatch, Line, Referral
from onhook.livekit.bounded_line import BoundedLine
from onhook.livekit.slots import Slots
from onhook.outages import Outage, OutageFile
from onhook.policy import RescuePolicy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Ring, Sink
from onhook.sentinel.attendance import Attendance, Attended
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.calls import CallTable
from onhook.sentinel.confirmation import Confirmation
from onhook.sentinel.expected_agents import ExpectedAgents
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.plans import Plan, Plans
from onhook.sentinel.plans_in_force import PlansInForce
from onhook.sentinel.rescuer import CallRescuer
from onhook.sentinel.scanners import Scanners
from onhook.sentinel.second_dispatch import SecondDispatches
from onhook.sentinel.sightings import MembersListed, RoomsListed
from onhook.sentinel.signals.budget import Budget
from onhook.sentinel.watch import Watch
from onhook.sinks.journal import MemoryJournal, Step
from onhook.tasks import end
from tests.fakes import FakeLine
from tests.sentinel.world import World

WORDS = 3.0
"""Seconds that an announcement takes."""


class WorldLine(FakeLine):
    """The line of one room of the world."""

    def __init__(self, books: Books, room: str, since: float) -> None:
        super().__init__(Call(room))
        self._books, self._room, self._since = books, room, since

    async def picture(self) -> Call:
        self._books.require_api()
        legs = tuple(m.leg for m in self._books.world.listed_members(self._room))
        return Call(self._room, legs, direction=Direction.INBOUND)

    async def say(self, announcement: Announcement) -> str:
        async with self._books.slots.taken(self._since):
            self._books.tell(f"say {self._room}")
            await asyncio.sleep(WORDS)
        return "test"

    async def remove(self, identity: str) -> None:
        if self._books.stuck:
            raise ApiError("scripted", code="unauthenticated", passing=False)
        self._books.tell(f"remove {self._room} {identity}")
        self._books.world.leave(self._room, identity)

    async def transfer(self, identity: str, referral: Referral) -> None:
        self._books.tell(f"transfer {self._room}")
        self._books.world.leave(self._room, identity)

    async def delete_room(self) -> None:
        self._books.require_api()
        if self._books.stuck:
            raise ApiError("scripted", code="unauthenticated", passing=False)
        self._books.tell(f"delete {self._room}")
        self._books.world.close(self._room)

    async def dispatches(self) -> Sequence[Dispatch]:
        return tuple(self._books.sent.get(self._room, ()))

    async def dispatch(
        self, agent_name: str, metadata: str, attributes: Mapping[str, str] | None = None
    ) -> str:
        self._books.tell(f"dispatch {self._room} {agent_name}")
        made = Dispatch(f"AD_{len(self._books.acts)}", agent_name, metadata)
        self._books.sent.setdefault(self._room, []).append(made)
        return made.id

    async def withdraw(self, dispatch: str) -> None:
        self._books.tell(f"withdraw {self._room}")


@dataclass
class Books:
    """The world, what was sent to its rooms, what was done, and whether its API answers."""

    world: World = field(default_factory=World)
    sent: dict[str, list[Dispatch]] = field(default_factory=dict)
    acts: list[tuple[float, str]] = field(default_factory=list)
    fails: bool = False
    stuck: bool = False
    voices: dict[str, bool | None] = field(default_factory=dict)
    slots: Slots = field(default_factory=lambda: Slots(16, patience=5.0))

    def tell(self, act: str) -> None:
        self.acts.append((asyncio.get_running_loop().time(), act))

    def require_api(self) -> None:
        if self.fails:
            raise ApiError("scripted", code="unavailable", passing=True)

    @property
    def done(self) -> list[str]:
        return [act for _, act in self.acts]


class FakeLines:
    """Lines into the world; see `onhook.sentinel.rescuer.Lines`."""

    def __init__(self, books: Books, journal: MemoryJournal) -> None:
        self._books, self._journal = books, journal

    async def warm(self) -> None:
        pass

    @contextlib.asynccontextmanager
    async def line(
        self,
        room: str,
        *,
        agent: str = "",
        job: str = "",
        api_timeout: float,
        since: float = 0.0,
    ) -> AsyncIterator[BoundedLine]:
        yield cast("BoundedLine", WorldLine(self._books, room, since))

    def sinks(self) -> Sequence[Sink]:
        return (self._journal,)

    def engine(
        self, line: Line, policy: RescuePolicy, mode: Mode, sinks: Sequence[Sink] | None = None
    ) -> Engine:
        clock = asyncio.get_running_loop().time
        return Engine(
            line, policy=policy, sinks=sinks or (), clock=clock, ring=Ring.SENTINEL, mode=mode
        )


class Acting:
    """Runs a sentinel before the world, with webhooks and a poll every 2 s."""

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        observe: bool = False,
        budget: int = 3000,
        books: Books | None = None,
        claims: MemoryClaims | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        clock = self.clock = asyncio.get_running_loop().time
        self.books, self.journal, self.table = books or Books(), MemoryJournal(), CallTable()
        self.claims = claims or MemoryClaims(clock=clock)
        self._deaf = books is not None
        self.budget = Budget(budget, clock=clock)
        plans = PlansInForce(None, OutageFile(Path("/nonexistent/outages.json")), wall=clock)
        plans._plans = Plans(default=plan or Plan())
        self.plans = plans
        self.expected = ExpectedAgents(plans.plan)
        rescuer = CallRescuer(FakeLines(self.books, self.journal), clock=clock)
        confirmation = Confirmation(
            self.table,
            plans.judge,
            listed=self._listed,
            sent=self._sent,
            expected=self.expected.expected,
            ask=self._ask,
            sends=self._sends,
            budget=self.budget,
            clock=clock,
        )
        self.attended: list[Attended] = []
        self.attendance = Attendance(
            confirmation,
            rescuer,
            self.claims,
            plans.plan,
            owner=f"sentinel-{id(self)}",
            observe=observe,
            tell=self.attended.append,
            clock=clock,
        )
        self.second = SecondDispatches(
            rescuer.line,
            lambda room: self.table.view(room, clock()),
            expected=self.expected.expected,
            clock=clock,
        )
        self.scanners = Scanners(rescuer.line, clock=clock)
        self.watch = Watch(
            self.table,
            plans,
            self.attendance,
            self.second,
            self.scanners,
            learn=self.expected.learn,
            ask=self._ask,
            affordable=lambda: 50,
            observe=observe,
            leads=leads,
            clock=clock,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def switch(self, outage: Outage | None) -> None:
        """Switch an outage on, or off."""
        self.plans._outages = () if outage is None else (outage,)

    @property
    def world(self) -> World:
        return self.books.world

    def send(self, room: str, agent_name: str = "front-desk") -> None:
        self.books.sent.setdefault(room, []).append(Dispatch(f"AD_{room}", agent_name))

    def take_job(self, room: str, agent: str = "agent-AJ_1") -> None:
        first, *rest = self.books.sent[room]
        self.books.sent[room] = [replace(first, jobs=("AJ_1",), agents=(agent,)), *rest]

    async def __aenter__(self) -> Acting:
        self._tasks = [
            asyncio.create_task(work)
            for work in (self._signals(), self.watch.quick(), self.watch.rounds())
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(*self._tasks)
        await self.watch.aclose(0.0)

    async def until(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds - self.clock()))

    async def _signals(self) -> None:
        next_poll = 0.5
        while True:
            now = self.world.now = self.clock()
            if not self._deaf:  # of two sentinels one has the webhooks
                for _, event in self.world.events:
                    self.watch.receive(event)
                self.world.events.clear()
            if now >= next_poll and not self.books.fails:
                next_poll = now + 2.0
                self.watch.receive(RoomsListed(now, self.world.listed_rooms()))
                for room in self.table.wants(now):
                    self.watch.receive(MembersListed(room, now, self.world.listed_members(room)))
            await asyncio.sleep(0.1)

    async def _listed(self, room: str) -> MembersListed:
        self.books.require_api()
        return MembersListed(room, self.clock(), self.world.listed_members(room))

    async def _sent(self, room: str) -> Sequence[Dispatch]:
        self.books.require_api()
        return tuple(self.books.sent.get(room, (Dispatch("AD_0", "front-desk"),)))

    async def _ask(self, room: str, identity: str) -> ProbeResult:
        members = self.world.listed_members(room)
        sid = next((m.sid for m in members if m.leg.identity == identity), "")
        result = self.world.ask(sid)
        await asyncio.sleep(0.01 if result is ProbeResult.ANSWERED else 2.0)
        return result

    async def _sends(self, room: str, identity: str) -> bool | None:
        await asyncio.sleep(1.0)
        return self.books.voices.get(identity, True)

    @property
    def faults(self) -> list[str]:
        """Return the faults of all incidents."""
        entries = (e for i in self.journal.incidents(1000) for e in self.journal.entries(i))
        return [e.subject for e in entries if e.step is Step.OPENED]

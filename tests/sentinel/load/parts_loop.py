"""Table, poll, webhooks and leases in a small loop, on a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import ListRoomsResponse

from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import suspicion
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import Sighting
from onhook.sentinel.signals.budget import Budget, Use
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.poll import Listings, Poll, list_members
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.load.api_stand_in import KEY, SECRET
from tests.sentinel.load.call_traffic import CallTraffic, Host
from tests.sentinel.load.server_rooms import ServerRooms
from tests.sentinel.load.webhook_post import Delivery, Letter, WebhookPost, signed

__all__ = ["BUDGET", "EPOCH", "POLL", "STEP", "Clock", "Deliver", "PartsLoop"]

BUDGET = 300
EPOCH = 1_790_000_000.0
POLL, STEP = 2.0, 0.2
_LEASE, _ROUND = 1.0, 5.0

Deliver = Callable[[str, Letter], Awaitable[None]]


@dataclass
class Clock:
    """Seconds of the sentinel's clock; the server's are ahead by `epoch`."""

    epoch: float = EPOCH
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def server(self) -> float:
        return self.epoch + self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Listed:
    """Answers a poll from the books, as bytes that are decoded as they are in livekit-api."""

    def __init__(self, rooms: ServerRooms) -> None:
        self._rooms = rooms

    async def rooms(self) -> Sequence[Room]:
        return tuple(ListRoomsResponse.FromString(self._rooms.listed()).rooms)

    async def participants(self, room: str) -> Sequence[ParticipantInfo]:
        return self._rooms.people(room)


class PartsLoop:
    """Runs calls before the parts of a sentinel, in steps of a fifth of a second.

    Args:
        calls: How many there are.
        how: How webhooks are delivered.
        lonely: How many hosts of one call there are, to be lost.
        seed: Decides which webhooks are lost, and which are late.
        epoch: The server's clock at the beginning, in seconds since 1970.
    """

    def __init__(
        self, calls: int, how: Delivery, *, lonely: int, seed: int = 0, epoch: float = EPOCH
    ) -> None:
        self.clock = clock = Clock(epoch)
        self.suspected: dict[str, float] = {}
        """When each suspicion was confirmed first, by room."""
        self.unconfirmed = 0
        self.budget = Budget(BUDGET, clock=clock)
        self.rooms = ServerRooms(clock=clock.server)
        self.signed = SignedBodies({KEY: SECRET})
        self.webhooks = Webhooks(self.signed, clock=clock.server)
        self.leases = Leases(self.signed, clock=clock.server)
        self.listings: Listings = Listed(self.rooms)
        """Answers the poll; from the books where nothing else is set."""
        self.deliver: Deliver = self._deliver
        """Delivers webhooks and leases; by a call where nothing else is set."""
        self._calls = calls
        self._table = CallTable()
        self.dead: set[str] = set()
        self.traffic = CallTraffic(self.rooms, self.dead, clock=clock.server)
        self.traffic.fill(calls, lonely)
        self.post = WebhookPost(KEY, SECRET, how, seed=seed, clock=clock.server)
        self.rooms.told = self.post.take
        self._poll: Poll | None = None
        self._due = {"poll": 0.0, "lease": 0.0, "round": _ROUND}
        self._not_before: dict[str, float] = {}

    async def until(self, end: float) -> None:
        """Go on until a time."""
        while self.clock.now < end:
            await self._step()
            self.clock.now += STEP

    def take(self, sighting: Sighting) -> None:
        """Take what was learned."""
        self._table.take(sighting, self.clock.now)

    async def _step(self) -> None:
        now, limits = self.clock.now, Limits()
        self.traffic.step(self._calls)
        for letter in self.post.due():
            await self.deliver("/webhook", letter)
        if self._is_due("lease", _LEASE):
            for host in self.traffic.hosts:
                await self._renew(host)
        if self._is_due("poll", POLL):
            await self._polled.once()
        every = self._is_due("round", _ROUND)
        views = self._table.views(now) if every else self._table.uneasy(now)
        for room in [view.room for view in views if suspicion(view, now, limits)]:
            if room not in self.suspected and now >= self._not_before.get(room, 0.0):
                await self._confirm(room, limits)

    @property
    def _polled(self) -> Poll:
        if self._poll is None:
            self._poll = Poll(
                self.listings,
                self.take,
                lambda: self._table.wants(self.clock()),
                self.budget,
                clock=self.clock,
                sleep=lambda _: asyncio.sleep(0),
            )
        return self._poll

    async def _confirm(self, room: str, limits: Limits) -> None:
        """Ask anew who is in a room, as the service does."""
        now = self.clock.now
        self.budget.spend(Use.RESCUE)
        self.take(await list_members(self.listings, room, clock=self.clock))
        view = self._table.view(room, now)
        if view is not None and suspicion(view, now, limits):
            self.suspected[room] = now
        else:
            self.unconfirmed += 1
            self._not_before[room] = now + 2.0

    async def _renew(self, host: Host) -> None:
        if not host.lost:
            host.renewed = now = self.clock.server()
            letter = signed(msgspec.json.encode(host.lease()), KEY, SECRET, now, ttl=55)
            await self.deliver("/lease", letter)

    async def _deliver(self, path: str, letter: Letter) -> None:
        if path == "/lease":
            self.take(self.leases.receive(self.leases.token(letter.token), letter.body))
            return
        try:
            webhook = self.webhooks.receive(self.webhooks.token(letter.token), letter.body)
        except RefusedError as error:
            if error.reason is not Reason.REPLAYED:
                raise
            return
        for sighting in webhook.sightings:
            self.take(sighting)

    def _is_due(self, what: str, period: float) -> bool:
        if self.clock.now < self._due[what]:
            return False
        self._due[what] += period
        return True

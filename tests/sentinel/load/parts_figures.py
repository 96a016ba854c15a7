"""The parts of a sentinel in a small loop on a clock of its own: their cost, and their verdicts."""

from __future__ import annotations

import gc
import math
import statistics
import time
import tracemalloc
from dataclasses import dataclass, field

from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import ListRoomsResponse
from livekit.protocol.webhook import WebhookEvent

from onhook.livekit import ServerApi
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import suspicion
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import MembersListed, RoomsListed
from onhook.sentinel.signals.from_protobuf import members_from, room_from
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.load.api_stand_in import KEY, SECRET, ApiStandIn
from tests.sentinel.load.call_traffic import Broken, CallTraffic
from tests.sentinel.load.parts_loop import EPOCH, Clock, PartsLoop
from tests.sentinel.load.server_rooms import ServerRooms
from tests.sentinel.load.webhook_post import ON_TIME, Delivery, WebhookPost

__all__ = [
    "GRACE",
    "Reconciliation",
    "Verdicts",
    "bytes_a_call",
    "reconcile",
    "verdicts",
    "webhooks",
]

GRACE = {Broken.NEVER_CAME: 8.0, Broken.LEFT: 8.0, Broken.HOST_LOST: 3.5}
"""Seconds; of a lost host from its last lease on: 3 s of that, and `Limits.lapsed`."""


def judged(table: CallTable, now: float) -> list[str]:
    """Return the rooms in which something is suspected, of all."""
    limits = Limits()
    return [view.room for view in table.views(now) if suspicion(view, now, limits)]


@dataclass
class Reconciliation:
    """What one reconciliation costs, in seconds of one core."""

    listing: float
    folding: float
    judging: float

    @property
    def whole(self) -> float:
        return self.listing + self.folding + self.judging


async def reconcile(calls: int, times: int = 5) -> Reconciliation:
    """Measure: list of rooms over HTTP, decoded; folded; wants; every call judged."""
    rooms = ServerRooms()
    CallTraffic(rooms, set()).fill(calls, 0)
    table, clock = CallTable(), Clock()
    for room in ListRoomsResponse.FromString(rooms.listed()).rooms:
        table.take(room_from(room, counted=False), clock())
        listed = MembersListed(room.name, clock(), members_from(rooms.people(room.name)))
        table.take(listed, clock())
    gc.collect()
    gc.freeze()  # what is the stand-in's own is not to be counted
    costs: list[tuple[float, float, float]] = []
    async with ApiStandIn(rooms) as server, ServerApi(server.credentials, timeout=10) as api:
        for _ in range(times):
            clock.now += 2.0
            serving = time.process_time()
            rooms.listed()
            serving = time.process_time() - serving
            began = time.process_time()
            got = await api.rooms()
            there = time.process_time()
            seen = RoomsListed(clock(), tuple(room_from(room, counted=True) for room in got))
            table.take(seen, clock())
            table.wants(clock())
            folded = time.process_time()
            judged(table, clock())
            costs.append((there - began - serving, folded - there, time.process_time() - folded))
    gc.unfreeze()
    medians = [statistics.median(each) for each in zip(*costs, strict=True)]
    listing, folding, judging = medians
    return Reconciliation(listing, folding, judging)


def bytes_a_call(calls: int) -> float:
    """Return the bytes that the table needs for each call, by tracemalloc."""
    rooms = ServerRooms()
    CallTraffic(rooms, set()).fill(calls, 0)
    listed = rooms.listed()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    table = CallTable()
    names = []
    for room in ListRoomsResponse.FromString(listed).rooms:
        names.append(room.name)
        table.take(room_from(room, counted=False), 0.0)
    for name in names:
        people = [ParticipantInfo.FromString(p.SerializeToString()) for p in rooms.people(name)]
        table.take(MembersListed(name, 0.1, members_from(people)), 0.1)
    del names, room, people
    judged(table, 1.0)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / calls


def webhooks(calls: int, count: int = 3_000) -> float:
    """Return how many webhooks one core verifies and folds in a second beside so many calls."""
    events: list[WebhookEvent] = []
    rooms = ServerRooms()
    traffic = CallTraffic(rooms, set())
    traffic.fill(calls, 0)
    table = CallTable()
    for room in ListRoomsResponse.FromString(rooms.listed()).rooms:
        table.take(room_from(room, counted=False), 0.0)
    rooms.told = events.append
    post = WebhookPost(KEY, SECRET)
    number = 0
    while len(events) < count:
        number += 1
        name = f"new-{number}"
        rooms.caller(name, answered=True, number=number)
        rooms.agent(name)
        rooms.close(name)
    for event in events:
        post.take(event)
    letters = post.due()
    receiving = Webhooks(SignedBodies({KEY: SECRET}))
    gc.collect()
    began = time.process_time()
    for letter in letters:
        token = receiving.token(letter.token)
        for sighting in receiving.receive(token, letter.body).sightings:
            table.take(sighting, 1.0)
    return len(letters) / (time.process_time() - began)


@dataclass
class Verdicts:
    """When broken calls were suspected, in seconds after the grace, and what else was."""

    late: dict[Broken, list[float]] = field(default_factory=dict)
    missed: int = 0
    healthy: int = 0
    """Healthy calls of which a suspicion was confirmed."""
    unconfirmed: int = 0
    """Suspicions that a fresh list did not agree with."""
    spent: float = 0.0
    """Requests a minute."""

    @property
    def all(self) -> list[float]:
        return sorted(late for found in self.late.values() for late in found)

    @property
    def p99(self) -> float:
        return self.all[math.ceil(0.99 * len(self.all)) - 1] if self.all else math.inf


async def verdicts(
    calls: int,
    *,
    how: Delivery = ON_TIME,
    plants: int = 6,
    every: float = 1.0,
    settle: float = 6.0,
) -> Verdicts:
    """Break some of so many calls, and find out when that is suspected."""
    run = PartsLoop(calls, how, lonely=plants)
    await run.until(settle)
    for each in range(3 * plants):
        run.traffic.plant(list(Broken)[each % 3])
        await run.until(run.clock.now + every)
    await run.until(run.clock.now + 14.0)
    found = Verdicts(spent=60 * run.budget.spent.total() / run.clock.now)
    broken = {planted.room for planted in run.traffic.planted}
    found.unconfirmed = run.unconfirmed
    found.healthy = len(run.suspected.keys() - broken)
    for planted in run.traffic.planted:
        at = run.suspected.get(planted.room)
        if at is None:
            found.missed += 1
            continue
        late = EPOCH + at - planted.at - GRACE[planted.broken]
        found.late.setdefault(planted.broken, []).append(late)
    return found

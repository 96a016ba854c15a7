"""In whatever order sightings come, how often, with whatever losses: the lists mend the rest."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.call import LegKind, LineState
from onhook.livekit.attribute_names import RELEASED
from onhook.sentinel.call_view import CallView
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import row_of, suspicion
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import MembersListed, RoomsListed, Sighting, TrackChanged
from tests.sentinel.watching import ALL_AT_ONCE, Watch, Webhooks
from tests.sentinel.world import OUTBOUND, SCANNER, World

LIMITS = Limits()
CALLER = "sip_+15550100"
RELEASE: dict[str, Any] = {RELEASED.replace(".", "__"): "on purpose"}
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Act = Callable[[World, str], object]


def _if_there(identity: str, act: Act) -> Act:
    def guarded(world: World, room: str) -> None:
        here = world.rooms.get(room)
        if here is not None and identity in here.members:
            act(world, room)

    return guarded


def _unless_there(identity: str, act: Act) -> Act:
    def guarded(world: World, room: str) -> None:
        here = world.rooms.get(room)
        if here is None or identity not in here.members:
            act(world, room)

    return guarded


ACTS: dict[str, Act] = {
    "a caller rings": _unless_there(CALLER, lambda w, r: w.caller(r)),
    "the caller is answered": _if_there(CALLER, lambda w, r: w.answer(r, CALLER)),
    "the caller goes": _if_there(CALLER, lambda w, r: w.leave(r, CALLER)),
    "a scanner rings": _unless_there(
        "sip_100", lambda w, r: w.caller(r, LineState.RINGING, "sip_100", SCANNER)
    ),
    "an agent comes": _unless_there("agent-1", lambda w, r: w.agent(r)),
    "another agent comes": _unless_there("agent-2", lambda w, r: w.agent(r, "agent-2")),
    "the agent comes again": _if_there("agent-1", lambda w, r: w.agent(r)),
    "the agent speaks": _if_there("agent-1", lambda w, r: w.change(r, "agent-1", audible=True)),
    "the agent stops": _if_there("agent-1", lambda w, r: w.change(r, "agent-1", audible=False)),
    "the agent goes": _if_there("agent-1", lambda w, r: w.leave(r, "agent-1")),
    "the other agent goes": _if_there("agent-2", lambda w, r: w.leave(r, "agent-2")),
    "the agent is dropped": _if_there(
        "agent-1", lambda w, r: w.leave(r, "agent-1", "CONNECTION_TIMEOUT")
    ),
    "the caller is released": _if_there(CALLER, lambda w, r: w.change(r, CALLER, **RELEASE)),
    "a colleague rings": _unless_there(
        "colleague", lambda w, r: w.caller(r, LineState.RINGING, "colleague", OUTBOUND)
    ),
    "the colleague answers": _if_there("colleague", lambda w, r: w.answer(r, "colleague")),
    "the colleague goes": _if_there("colleague", lambda w, r: w.leave(r, "colleague")),
    "a person comes": _unless_there("ann", lambda w, r: w.human(r)),
    "the person goes": _if_there("ann", lambda w, r: w.leave(r, "ann")),
    "the room is deleted": lambda w, r: w.close(r),
}
COMMON = ("a caller rings", "the caller is answered", "an agent comes", "the agent goes")
names = st.one_of(st.sampled_from(COMMON), st.sampled_from(sorted(ACTS)))
rooms = st.sampled_from(["r-1", "r-1", "r-1", "r-2"])
happenings = st.lists(st.tuples(names, rooms), min_size=4, max_size=20)


def known(view: CallView, now: float) -> dict[str, object]:
    """What is known of a call, without the times at which it was learned."""
    found = suspicion(view, now, LIMITS)
    return {
        "sid": view.sid,
        "legs": sorted(view.call.legs, key=lambda leg: leg.identity),
        "agents": sorted(
            (a.sid, a.identity, tuple(sorted(a.attributes.items()))) for a in view.agents
        ),
        "direction": view.call.direction,
        "caller": dict(view.caller),
        "visited": view.visited,
        "released": view.released,
        "alone": view.alone_since is not None,
        "agent left": view.agent_left is not None,
        "trunkless": view.trunkless,
        "row": row_of(view, now, LIMITS).state,
        "fault": None if found is None else found.fault,
    }


def all_known(table: CallTable, now: float) -> dict[str, dict[str, object]]:
    return {view.room: known(view, now) for view in table.views(now)}


def folded(world: World, log: Sequence[Sighting]) -> dict[str, dict[str, object]]:
    """Fold a log, then the truth by two polls, and judge when every limit is over."""
    table, now = CallTable(), 100.0
    for sighting in log:
        now += 0.1
        table.take(sighting, now)
    for asked in (200.0, 202.0):
        table.take(RoomsListed(asked, world.listed_rooms()), asked)
        for room in world.rooms:
            table.take(MembersListed(room, asked, world.listed_members(room)), asked)
    table.take(RoomsListed(250.0, world.listed_rooms()), 250.0)
    return all_known(table, 251.0)


def happening(happened: list[tuple[str, str]], *, tells: bool) -> World:
    world = World(tells_changes=tells)
    for name, room in happened:
        world.now += 1.0
        ACTS[name](world, room)
    return world


def disordered(log: Sequence[Sighting], chance: random.Random) -> list[Sighting]:
    shuffled = [sighting for sighting in log for _ in range(chance.choice((1, 1, 2)))]
    chance.shuffle(shuffled)
    return shuffled


@settings(some, max_examples=150)
@given(happened=happenings, chance=st.randoms(use_true_random=False), tells=st.booleans())
def test_any_order_and_any_repetition_gives_the_same_table(
    *, happened: list[tuple[str, str]], chance: random.Random, tells: bool
) -> None:
    world = happening(happened, tells=tells)
    log = [sighting for _, sighting in world.events]
    assert folded(world, disordered(log, chance)) == folded(world, log)


@settings(some, max_examples=150)
@given(happenings, st.randoms(use_true_random=False))
def test_nothing_that_was_told_needs_a_list(
    happened: list[tuple[str, str]], chance: random.Random
) -> None:
    """Where no webhook is lost, and each bears a version, their order does not matter at all."""
    world = happening(happened, tells=True)
    log = [told for _, told in world.events if not isinstance(told, TrackChanged)]
    table, now = CallTable(), 100.0
    for sighting in disordered(log, chance):
        now += 0.1
        table.take(sighting, now)
    for room, here in world.rooms.items():
        view = table.view(room, now)
        assert view is not None
        assert view.sid == here.sid
        assert set(view.call.legs) == {member.leg for member in here.members.values()}
        assert {a.sid: a.attributes for a in view.agents} == {
            m.sid: m.attributes for m in here.members.values() if m.leg.kind is LegKind.AGENT
        }
    assert {view.room for view in table.views(now)} == set(world.rooms)


@settings(some, max_examples=25)
@given(st.lists(st.tuples(names, rooms), min_size=4, max_size=12), st.integers(0, 10_000))
def test_losses_delays_and_repetition_give_the_same_verdicts(
    happened: list[tuple[str, str]], seed: int
) -> None:
    script = [
        (1.0 + 10.0 * index, lambda w, name=name, room=room: ACTS[name](w, room))
        for index, (name, room) in enumerate(happened)
    ]
    end = 10.0 * len(happened) + 60.0
    whole = Watch(script, ALL_AT_ONCE).until(end)
    lossy = Watch(script, Webhooks(0.3, 0.3, 3.0, seed)).until(end)
    alone = Watch(script, Webhooks(1.0)).until(end)
    assert verdicts(lossy) == verdicts(whole)
    assert verdicts(alone) == verdicts(whole)


def verdicts(watch: Watch) -> dict[str, tuple[object, object]]:
    now = watch.world.now
    return {
        room: (seen["row"], seen["fault"])
        for room, seen in all_known(watch.table, now).items()
        if room in watch.world.rooms
    }

"""Which agents are asked next."""

from __future__ import annotations

from onhook.call import LineState
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import probes_due
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import MembersListed, RoomsListed
from tests.sentinel.world import World

ROOMS = [f"call-{n}" for n in range(10)]


def known(world: World, table: CallTable) -> None:
    table.take(RoomsListed(world.now, world.listed_rooms()), world.now)
    for room in ROOMS:
        table.take(MembersListed(room, world.now, world.listed_members(room)), world.now)


def test_those_that_left_a_question_unanswered_come_first_and_may_be_asked_when_no_others_may() -> (
    None
):
    world, table = World(), CallTable()
    for room in ROOMS:
        world.caller(room, LineState.ACTIVE)
        world.agent(room)
    known(world, table)
    world.now = 10.0
    known(world, table)
    silent = {"call-3", "call-7"}
    for room in silent:
        sid = world.rooms[room].members["agent-1"].sid
        table.probed(room, sid, ProbeResult.GONE, 7.0, 9.5)

    def asked(most: int, again: int) -> list[str]:
        views = table.views(10.0)
        return [due.room for due in probes_due(views, 10.0, Limits(), most=most, again=again)]

    assert set(asked(0, 5)) == silent
    assert len(asked(0, 1)) == 1
    assert asked(0, 0) == []
    assert set(asked(2, 0)) == silent
    assert set(asked(20, 1)) == set(ROOMS)
    assert set(asked(20, 1)[:2]) == silent

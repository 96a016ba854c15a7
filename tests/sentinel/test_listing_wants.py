"""Where more rooms should be listed than may be, the ones whose callers wait come first."""

from __future__ import annotations

from collections.abc import Container

from onhook.call import LineState
from onhook.sentinel.calls import CallTable
from onhook.sentinel.sightings import HostLease, LeasedJob, MembersListed, RoomSeen, RoomsListed
from tests.sentinel.world import OUTBOUND, SCANNER, World


def listed(world: World, *, publishers: dict[str, int] | None = None) -> RoomsListed:
    rooms = world.listed_rooms()
    counted = publishers or {}
    return RoomsListed(
        world.now,
        tuple(
            RoomSeen(r.room, r.sid, r.created_at, r.members, publishers=counted.get(r.room))
            for r in rooms
        ),
    )


def take(table: CallTable, world: World, rooms: Container[str]) -> None:
    """Take the webhooks about these rooms, and no others."""
    for at, sighting in world.events:
        if getattr(sighting, "room", "") in rooms:
            table.take(sighting, at)


def calls(world: World, *rooms: str, agent: bool) -> None:
    for room in rooms:
        world.caller(room, LineState.ACTIVE)
        if agent:
            world.agent(room)


def test_a_caller_who_waits_comes_before_all_that_seems_well() -> None:
    world, table = World(), CallTable()
    world.now = 1.0
    calls(world, *(f"well-{n}" for n in range(100)), agent=True)
    calls(world, "untold", agent=False)
    world.now = 9.0
    calls(world, "later", agent=False)
    take(table, world, {f"well-{n}" for n in range(100)} | {"later"})
    world.now = 10.0
    table.take(listed(world), 10.0)
    assert table.wants(10.0)[:2] == ["later", "untold"]
    assert len(table.wants(10.0)) == 102


def test_a_flood_of_scanners_costs_no_caller_a_list() -> None:
    world, table = World(), CallTable()
    scanners = [f"scan-{n}" for n in range(50)]
    for room in scanners:
        world.caller(room, attributes=SCANNER)
    take(table, world, scanners)
    world.now = 1.0
    calls(world, "caller", agent=False)
    take(table, world, {"caller"})
    world.now = 2.0
    table.take(listed(world), 2.0)
    wanted = table.wants(2.0)
    assert wanted[0] == "caller"
    assert set(wanted[1:]) == set(scanners), "each is listed once"
    for room in wanted:
        table.take(MembersListed(room, 2.0, world.listed_members(room)), 2.1)
    assert table.wants(4.2) == ["caller"]


def test_of_rooms_that_no_webhook_tells_of_those_with_an_agents_voice_come_later() -> None:
    world, table = World(), CallTable()
    calls(world, "attended", "alone", agent=False)
    world.now = 10.0
    table.take(listed(world, publishers={"attended": 2, "alone": 1}), 10.0)
    assert table.wants(10.0) == ["alone", "attended"]


def test_a_room_that_a_stranger_has_left_is_listed_before_those_with_an_agents_voice() -> None:
    world, table = World(), CallTable()
    calls(world, "left", "attended", agent=True)
    world.events.clear()  # that was before the sentinel's time
    world.now = 10.0
    table.take(listed(world, publishers={"left": 2, "attended": 2}), 10.0)
    assert table.wants(10.0) == ["attended", "left"]
    world.leave("left", "agent-1")
    take(table, world, {"left"})
    assert table.wants(10.0) == ["left", "attended"]


def test_a_call_of_a_living_host_comes_last() -> None:
    world, table = World(), CallTable()
    calls(world, "covered", "well", agent=True)
    take(table, world, {"covered", "well"})
    table.take(HostLease("h", 3.0, (LeasedJob("covered", "agent-1", "AJ_1"),)), 0.0)
    assert table.wants(1.0) == ["well", "covered"]
    assert table.wants(2.0)[0] == "covered"  # the host is late, and nobody has looked yet
    assert table.wants(3.5)[0] == "covered"


def test_a_voice_that_the_server_counts_no_more_is_looked_for_once_the_count_is_new() -> None:
    world, table = World(), CallTable()
    world.caller("r", LineState.ACTIVE, attributes=None)
    world.answer("r")
    world.agent("r")
    world.change("r", "agent-1", audible=True)
    take(table, world, {"r"})
    table.take(listed(world, publishers={"r": 0}), 0.0)  # an old count: nobody asks why
    table.take(MembersListed("r", 0.0, world.listed_members("r")), 0.0)
    for now in (2.0, 4.0):
        world.now = now
        table.take(listed(world, publishers={"r": 0 if now < 4 else 2}), now)
        assert table.wants(now) == []
    world.leave("r", "agent-1")  # and its webhook is lost
    for now in (6.0, 8.0):
        world.now = now
        table.take(listed(world, publishers={"r": 2 if now < 8 else 1}), now)
        assert table.wants(now) == ([] if now < 8 else ["r"])


def test_a_callee_whose_agent_has_gone_is_looked_at_between_two_polls_while_it_rings() -> None:
    world, table = World(), CallTable()
    world.caller("r", LineState.RINGING, attributes=OUTBOUND)
    world.agent("r")
    take(table, world, {"r"})
    table.take(MembersListed("r", 0.0, world.listed_members("r")), 0.0)
    assert table.ringing_on(1.0) == [], "its agent waits for the answer"
    world.leave("r", "agent-1")
    take(table, world, {"r"})
    table.take(MembersListed("r", 2.0, world.listed_members("r")), 2.0)
    assert table.ringing_on(3.0) == ["r"]
    table.take(MembersListed("r", 3.0, world.listed_members("r")), 3.0)
    assert table.wants(4.0) == ["r"], "and by every poll"
    assert table.ringing_on(100.0) == [], "not for ever"
    world.answer("r")
    table.take(MembersListed("r", 4.0, world.listed_members("r")), 4.0)
    assert table.ringing_on(5.0) == []


def test_a_caller_who_waits_long_enough_is_owed_the_first_list_of_their_room() -> None:
    world, table = World(), CallTable()
    calls(world, "waits", agent=False)
    calls(world, "attended", agent=True)
    world.caller("scan", attributes=SCANNER)
    take(table, world, {"waits", "attended", "scan"})
    rooms = ("waits", "attended", "scan", "nowhere")
    assert [room for room in rooms if table.is_overdue(room, 4.0)] == []
    assert [room for room in rooms if table.is_overdue(room, 60.0)] == ["waits"]
    table.take(MembersListed("waits", 5.0, world.listed_members("waits")), 5.0)
    assert not table.is_overdue("waits", 60.0), "once: the list that confirms comes by itself"


def test_without_webhooks_one_who_is_counted_alone_is_owed_it_when_the_count_is_sure() -> None:
    world, table = World(), CallTable()
    calls(world, "alone", "attended", agent=False)
    table.take(listed(world, publishers={"alone": 1, "attended": 2}), 0.0)
    assert not table.is_overdue("alone", 11.0), "an agent would be counted late"
    assert table.is_overdue("alone", 12.0)
    assert not table.is_overdue("attended", 60.0)

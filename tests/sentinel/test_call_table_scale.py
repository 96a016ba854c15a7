"""What the table of calls costs; `pytest -s` prints it."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest

from onhook.call import Leg, LegKind, LineState
from onhook.livekit.attribute_names import AGENT_NAME, GUARD, LADDER
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import suspicion
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import (
    HostLease,
    LeasedJob,
    Member,
    MembersListed,
    RoomSeen,
    RoomsListed,
)

LIMITS = Limits()
PERIOD = 2.0
MOST_BYTES = 4096


def copy(text: str) -> str:
    """Every message of the server makes its own strings."""
    return text.encode().decode()


def name(number: int) -> str:
    return f"call-_+15550{number:07d}_Qm8Zk3vW9yTd"


def rooms(count: int) -> tuple[RoomSeen, ...]:
    return tuple(RoomSeen(name(n), f"RM_{n:012d}", 1.7e9 + n, 1) for n in range(count))


def members(number: int) -> tuple[Member, ...]:
    told = {
        "sip.trunkID": copy("ST_9cB3kqT5xwzR"),
        "sip.ruleID": copy("SDR_5hJm2kQpXs7v"),
        "sip.phoneNumber": f"+15550{number:07d}",
        "sip.trunkPhoneNumber": copy("+15559990000"),
        "sip.callStatus": copy("active"),
        "sip.callID": f"SCL_{number:012d}",
        "sip.callIDFull": f"{number:032d}@203.0.113.7",
        **{f"sip.h.X-Header-{n}": copy("some header's value " * 5) for n in range(5)},
    }
    line = LineState.ACTIVE
    caller = Leg(f"sip_+15550{number:07d}", LegKind.CALLER, line, True, f"SCL_{number:012d}")
    guard = {
        GUARD: copy("0.1.0"),
        LADDER: copy('{"rungs": ["' + "say" * 300 + '"]}'),
        AGENT_NAME: copy("front-desk"),
        "lk.agent.state": copy("listening"),
    }
    agent = Leg(f"agent-AJ_{number:012d}", LegKind.AGENT, audible=True, may_speak=False)
    return (
        Member(f"PA_c{number:012d}", caller, 3, 1.7e9 + number, told),
        Member(f"PA_a{number:012d}", agent, 5, 1.7e9 + number, guard),
    )


def filled(count: int) -> CallTable:
    table = CallTable()
    table.take(RoomsListed(0.0, rooms(count)), 0.1)
    for number in range(count):
        table.take(MembersListed(name(number), 0.2, members(number)), 0.3)
    table.take(RoomsListed(2.0, rooms(count)), 2.1)
    for first in range(0, count, 50):
        table.take(lease(first, min(first + 50, count)), 2.2)
    return table


def lease(first: int, end: int) -> HostLease:
    jobs = (LeasedJob(name(n), f"agent-AJ_{n:012d}", f"AJ_{n:012d}") for n in range(first, end))
    return HostLease(f"host-{first}", 3.0, tuple(jobs))


def test_a_tracked_call_takes_less_than_four_kilobytes() -> None:
    count = 2000
    filled(10)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    table = filled(count)
    for view in table.views(3.0):
        assert view.call.complete
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    print(f"\n{each:.0f} bytes a tracked call")  # noqa: T201 - a measured figure
    assert each <= MOST_BYTES


@pytest.mark.parametrize("count", [2_000])
def test_a_list_of_all_rooms_is_taken_well_within_a_period(count: int) -> None:
    for figure in measured(count).values():
        assert figure < PERIOD / 2


def measured(count: int) -> dict[str, float]:
    """Return the seconds of processor time that each step takes for so many calls."""
    table, every = filled(count), rooms(count)
    took: dict[str, float] = {}

    def timed(what: str, begin: float) -> None:
        took[what] = time.process_time() - begin

    begin = time.process_time()
    table.take(RoomsListed(4.0, every), 4.1)
    timed("list of rooms taken", begin)
    fresh = CallTable()
    begin = time.process_time()
    fresh.take(RoomsListed(0.0, every), 0.1)
    timed("first list of rooms taken", begin)
    leases = [lease(first, first + 50) for first in range(0, count, 50)]
    begin = time.process_time()
    for each in leases:
        table.take(each, 4.15)
    timed("leases of all calls taken", begin)
    begin = time.process_time()
    table.wants(4.2)
    timed("rooms to list chosen", begin)
    begin = time.process_time()
    found = [f for view in table.views(4.3) if (f := suspicion(view, 4.3, LIMITS)) is not None]
    timed("all calls viewed and judged", begin)
    begin = time.process_time()
    assert not list(table.uneasy(4.4))
    assert not found
    timed("uneasy calls viewed", begin)
    return took


if __name__ == "__main__":
    for rooms_there in (1_000, 5_000, 20_000):
        for what, seconds in measured(rooms_there).items():
            print(f"{rooms_there:6d} calls: {what}: {seconds * 1000:.0f} ms")  # noqa: T201

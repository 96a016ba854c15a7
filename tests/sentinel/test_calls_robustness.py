"""Whatever is told, in whatever nonsense of an order: the table stands, and makes sense."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.call import Leg, LegKind, LineState
from onhook.livekit.attribute_names import LADDER, RELEASED, RESCUE
from onhook.sentinel.call_view import CallView, ProbeResult
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import (
    is_scanner_due,
    is_second_dispatch_due,
    probes_due,
    suspicion,
)
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import (
    AgentJob,
    HostLease,
    LeasedJob,
    Member,
    MemberGone,
    MemberSeen,
    MembersListed,
    RoomGone,
    RoomSeen,
    RoomsListed,
    Sighting,
    TrackChanged,
)

LIMITS = Limits(max_call=30.0, two_legs=20.0)
LONG = "y" * 4097
names = st.sampled_from(["r-1", "r-2"])
lives = st.sampled_from(["RM_1", "RM_2", ""])
sids = st.sampled_from(["PA_1", "PA_2", "PA_3", ""])
stamps = st.sampled_from([0.0, 1e9, 1e9 + 5, -1.0, float("inf"), float("nan")])
told = st.dictionaries(
    st.sampled_from(["sip.trunkID", "sip.ruleID", RELEASED, RESCUE, LADDER, "lk.agent.state"]),
    st.sampled_from(["", "x", "inc;5", ";", "inc;nan", LONG]),
    max_size=3,
)
legs = st.builds(
    Leg,
    st.sampled_from(["a", "b"]),
    st.sampled_from(LegKind),
    st.sampled_from(LineState),
    st.booleans(),
    st.sampled_from(["", "SCL_1"]),
    st.booleans(),
)
members = st.builds(Member, sids, legs, st.integers(0, 4), stamps, told)
seconds = st.floats(0, 100)
seen_rooms = st.builds(RoomSeen, names, lives, stamps, st.sampled_from([None, 0, 1, 5]))
jobs = st.builds(LeasedJob, names, st.just("a"), st.just("AJ"), st.sampled_from(["", "q"]), stamps)
many = st.lists(members, max_size=3).map(tuple)
sightings: st.SearchStrategy[Sighting] = st.one_of(
    seen_rooms,
    st.builds(RoomGone, names, lives),
    st.builds(RoomsListed, seconds, st.lists(seen_rooms, max_size=2).map(tuple)),
    st.builds(MemberSeen, names, lives, members),
    st.builds(MemberGone, names, lives, sids),
    st.builds(MembersListed, names, seconds, many),
    st.builds(TrackChanged, names, lives, sids, sids, sids, st.booleans(), st.booleans()),
    st.builds(
        AgentJob,
        names,
        st.just("AJ"),
        st.just("desk"),
        st.sampled_from(["pending", "started", "ended", "new"]),
        st.sampled_from(["", "NO_CAPACITY", "RETRYING", "new"]),
    ),
    st.builds(HostLease, st.sampled_from(["h", "i"]), st.floats(0, 9), st.tuples(jobs)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(0, 10), sightings), max_size=30))
def test_whatever_is_told_the_table_stands(log: list[tuple[float, Sighting]]) -> None:
    table, now = CallTable(), 0.0
    for passed, sighting in log:
        now += passed
        table.take(sighting, now)
        table.probed("r-1", "PA_1", ProbeResult.GONE, now - 1, now)
        views = list(table.views(now))
        assert len({view.room for view in views}) == len(views) == len(table)
        assert set(table.wants(now)) <= {view.room for view in views}
        assert {view.room for view in table.uneasy(now)} <= {view.room for view in views}
        for view in views:
            makes_sense(view, now)
        probes_due(views, now, LIMITS, most=5)


def makes_sense(view: CallView, now: float) -> None:
    found = suspicion(view, now, LIMITS)
    if found is not None:
        assert view.call.callers
        assert view.call.complete
        assert not view.released
        assert found.since <= now
        assert found.needs
    if view.trunkless:
        assert not is_second_dispatch_due(view, now, LIMITS)
    if is_scanner_due(view, now, LIMITS):
        assert found is None
    for since in (view.alone_since, view.no_agent_since, view.answered_since, view.agent_left):
        assert since is None or since <= now
    assert len(view.ladder) <= 4096

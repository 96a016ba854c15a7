from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onhook.call import Direction, Leg, LegKind, LineState
from onhook.livekit.attribute_names import AGENT_NAME, LADDER, RELEASED, RESCUE
from onhook.sentinel.call_view import CallView, LeaseState, ProbeResult
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import row_of
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
    TrackChanged,
)
from tests.sentinel.world import EPOCH, INBOUND, OUTBOUND

R, SID = "call-1", "RM_1"


def phone(
    line: LineState = LineState.RINGING,
    sid: str = "PA_caller",
    version: int = 1,
    joined: float = 10.0,
    attributes: dict[str, str] | None = None,
    **more: str,
) -> Member:
    told = {**(INBOUND if attributes is None else attributes), **more}
    identity = f"sip_{sid}"
    leg = Leg(identity, LegKind.CALLER, line, call_id="SCL_1")
    return Member(sid, leg, version, EPOCH + joined, told)


def agent(sid: str = "PA_agent", version: int = 1, joined: float = 12.0, **told: str) -> Member:
    leg = Leg("agent-1", LegKind.AGENT, may_speak=False)
    return Member(sid, leg, version, EPOCH + joined, told)


def seen(member: Member, room_sid: str = SID) -> MemberSeen:
    return MemberSeen(R, room_sid, member)


def listed(asked: float, *rooms: RoomSeen) -> RoomsListed:
    return RoomsListed(asked, rooms)


def room(
    sid: str = SID, created: float = 9.0, members: int | None = None, name: str = R
) -> RoomSeen:
    return RoomSeen(name, sid, EPOCH + created, members)


def view(table: CallTable, now: float) -> CallView:
    found = table.view(R, now)
    assert found is not None
    return found


def attribute(name: str, value: str) -> dict[str, Any]:
    return {name: value}


def with_call(*members: Member, asked: float = 2.0) -> CallTable:
    table = CallTable()
    table.take(listed(asked - 2, *()), asked - 2)
    table.take(listed(asked, room()), asked)
    table.take(MembersListed(R, asked + 0.1, members), asked + 0.2)
    return table


def test_a_call_is_pictured_with_its_caller_and_its_one_agent() -> None:
    table = with_call(phone(), agent(**attribute(AGENT_NAME, "desk")))
    found = view(table, 3.0)
    assert found.call.agent == "agent-1"
    assert found.call.direction is Direction.INBOUND
    assert found.call.complete
    assert found.caller["sip.phoneNumber"] == "+15550100"
    assert found.agent_name == "desk"
    assert (found.polled, found.listed, found.began_after) == (2.0, 2.1, 0.0)
    assert found.alone_since is None


def test_what_is_not_asked_of_attributes_is_not_kept() -> None:
    headers = {f"sip.h.X-Header-{n}": "x" * 1000 for n in range(50)}
    table = with_call(phone(attributes={**INBOUND, **headers}))
    assert set(view(table, 3.0).caller) == set(INBOUND)


def test_of_a_rooms_metadata_no_more_is_kept_than_plans_read() -> None:
    table = with_call(phone())
    for metadata, kept in (
        ('{"tags": ["sales"]}', '{"tags": ["sales"]}'),
        ("", '{"tags": ["sales"]}'),  # that event does not tell
        ('{"prompt": "long"}', ""),
        ('{"tags": ["' + "x" * 500_000, ""),
    ):
        table.take(replace(room(), metadata=metadata), 3.0)
        assert view(table, 3.1).metadata == kept


def test_of_two_events_the_greater_version_counts() -> None:
    table = with_call()
    table.take(seen(phone(LineState.ACTIVE, version=3)), 3.0)
    table.take(seen(phone(LineState.RINGING, version=2)), 3.1)
    assert view(table, 3.2).answered_since == 3.0


def test_a_list_undoes_nothing_that_was_seen_after_it_was_asked_for() -> None:
    table = with_call(phone())
    table.take(seen(agent()), 4.5)
    table.take(MembersListed(R, 4.4, (phone(),)), 4.6)
    assert view(table, 4.7).agents
    table.take(MembersListed(R, 4.8, (phone(),)), 4.9)
    assert not view(table, 5.0).agents


def test_a_list_brings_nobody_back_of_whom_the_end_was_told() -> None:
    table = with_call(phone(), agent())
    table.take(MemberGone(R, SID, "PA_agent", "agent-1", "CLIENT_INITIATED"), 3.0)
    table.take(MembersListed(R, 2.9, (phone(), agent())), 3.1)
    found = view(table, 3.2)
    assert (found.agents, found.agent_left, found.agent_left_by) == ((), 3.0, "CLIENT_INITIATED")


def test_who_was_missing_from_a_list_may_be_in_a_newer_one() -> None:
    table = with_call(phone(), agent())
    table.take(MembersListed(R, 3.0, (phone(),)), 3.1)
    assert view(table, 3.2).agent_left == 3.1
    table.take(seen(agent()), 3.3)  # late: the list was asked for after that
    assert view(table, 3.4).agent_left == 3.1
    table.take(MembersListed(R, 4.0, (phone(), agent())), 4.1)
    assert view(table, 4.2).agent_left is None


def test_a_room_is_gone_when_two_lists_in_a_row_do_not_have_it() -> None:
    table = with_call(phone())
    table.take(listed(4.0), 4.1)
    table.take(listed(4.0), 4.2)  # the same again
    assert table.view(R, 4.3) is not None
    table.take(listed(6.0), 6.1)
    assert table.view(R, 6.2) is None


def test_a_room_that_was_seen_after_the_question_is_not_missing() -> None:
    table = CallTable()
    table.take(seen(phone()), 3.0)
    table.take(listed(2.0), 3.1)
    table.take(listed(2.9), 3.2)
    assert table.view(R, 3.3) is not None


def test_a_name_used_again_is_a_new_call() -> None:
    table = with_call(phone(attributes={**INBOUND, RELEASED: "on purpose"}), agent())
    table.take(seen(phone(sid="PA_2", joined=100.0), "RM_2"), 100.0)
    found = view(table, 100.1)
    assert (found.sid, found.released, found.visited) == ("RM_2", "", False)
    table.take(seen(agent()), 100.2)  # a late word of the first one
    assert not view(table, 100.3).agents


def test_a_late_word_of_an_old_life_does_not_replace_the_new_one() -> None:
    table = CallTable()
    table.take(room("RM_2", created=100.0), 100.0)
    table.take(room("RM_1", created=9.0), 100.1)
    table.take(seen(phone(), "RM_1"), 100.2)
    assert view(table, 100.3).sid == "RM_2"
    table.take(RoomGone(R, "RM_2"), 100.4)
    assert table.view(R, 100.5) is None
    table.take(seen(phone(joined=101.0), "RM_2"), 100.6)
    assert table.view(R, 100.7) is None


def test_a_list_decides_which_life_there_is() -> None:
    table = with_call(phone())
    table.take(listed(4.0, room("RM_2", created=0.0)), 4.1)
    found = view(table, 4.2)
    assert (found.sid, found.listed) == ("RM_2", None)
    assert table.wants(4.2) == [R]


def test_a_participant_who_comes_again_puts_out_who_was_there() -> None:
    for order in ((12.0, 20.0), (20.0, 12.0)):
        table = with_call(phone())
        for joined in order:
            table.take(seen(agent(f"PA_{joined}", joined=joined)), 21.0)
        assert [a.sid for a in view(table, 21.1).agents] == ["PA_20.0"]


def test_somebody_whose_coming_was_never_told_has_been_there() -> None:
    table = with_call(phone())
    assert not view(table, 3.0).visited
    table.take(MemberGone(R, SID, "PA_x", "agent-1"), 6.0)
    table.take(MemberGone(R, SID, "PA_x", "agent-1"), 6.1)
    found = view(table, 6.2)
    assert found.visited
    assert found.alone_since == 6.0


def test_two_answered_legs_have_been_company_one_after_the_other() -> None:
    table = with_call(phone(LineState.ACTIVE))
    table.take(MemberGone(R, SID, "PA_2", "sip_PA_2"), 4.0)
    table.take(seen(phone(LineState.ACTIVE, "PA_2", attributes=OUTBOUND)), 4.1)
    assert view(table, 4.2).visited


def test_the_answered_leg_comes_first_and_the_other_is_no_company() -> None:
    waits = phone(LineState.RINGING, "PA_a", joined=10.0, attributes=OUTBOUND)
    table = with_call(waits, phone(LineState.ACTIVE, "PA_b", joined=20.0))
    found = view(table, 3.0)
    assert found.call.callers[0].line is LineState.ACTIVE
    assert found.call.company == ()
    assert found.alone_since is not None


def test_a_leg_without_a_state_is_answered_if_a_connector_brought_it() -> None:
    leg = Leg("whatsapp", LegKind.CALLER)
    table = with_call(Member("PA_1", leg, 1, EPOCH))
    assert view(table, 3.0).answered_since == 2.2


def test_an_avatar_is_no_agent() -> None:
    avatar = agent("PA_avatar", **attribute("lk.publish_on_behalf", "agent-1"))
    loud = replace(avatar, leg=replace(avatar.leg, identity="avatar", audible=True))
    table = with_call(phone(LineState.ACTIVE), loud)
    found = view(table, 3.0)
    assert not found.agents
    assert found.alone_since == 2.2


def test_sound_that_is_published_is_heard_until_a_list_knows_better() -> None:
    table = with_call(phone(LineState.ACTIVE), agent())
    table.take(TrackChanged(R, SID, "PA_agent", "agent-1", "TR_1", True, True), 3.0)
    assert view(table, 3.1).call.legs[-1].audible
    assert table.wants(4.0) == []
    table.take(MembersListed(R, 4.0, (phone(LineState.ACTIVE), agent())), 4.1)
    assert not view(table, 4.2).call.legs[-1].audible


def test_a_phone_that_publishes_may_be_answered_so_it_is_listed() -> None:
    table = with_call(phone(), agent())
    assert table.wants(3.0) == []
    table.take(TrackChanged(R, SID, "PA_caller", "x", "TR_1", True, True), 3.0)
    assert table.wants(3.0) == [R]


# what hosts and agents tell


def lease(ttl: float = 3.0, **more: Any) -> HostLease:
    return HostLease("host-1", ttl, (LeasedJob(R, "agent-1", "AJ_1", **more),))


def test_a_lease_covers_a_call_until_it_lapses_or_ends() -> None:
    table = with_call(phone(), agent())
    table.take(lease(), 3.0)
    assert view(table, 5.9).lease_state(5.9) is LeaseState.COVERED
    assert view(table, 6.0).lease_state(6.0) is LeaseState.LAPSED
    assert [v.room for v in table.uneasy(6.0)] == [R]
    table.take(HostLease("host-1", 3.0), 7.0)
    found = view(table, 20.0)
    assert found.lease_state(20.0) is LeaseState.ENDED
    assert found.call.job == "AJ_1"


def test_a_call_is_alone_only_since_its_host_no_longer_looks_after_it() -> None:
    table = with_call(phone())
    table.take(lease(), 3.0)
    table.take(HostLease("host-1", 3.0), 4.5)
    found = view(table, 5.0)
    assert (found.no_agent_since, found.alone_since) == (4.5, 4.5)
    assert found.visited


def test_of_two_hosts_the_one_that_covers_counts() -> None:
    table = with_call(phone(), agent())
    table.take(lease(), 3.0)
    table.take(HostLease("host-2", 5.0, (LeasedJob(R, "agent-2", "AJ_2"),)), 3.1)
    assert view(table, 7.0).lease_state(7.0) is LeaseState.COVERED
    table.take(HostLease("host-2", 3.0), 7.1)
    assert view(table, 8.0).lease_state(8.0) is LeaseState.LAPSED


def test_a_job_of_an_earlier_call_says_nothing_of_a_new_one() -> None:
    table = with_call(phone(), agent())
    table.take(lease(released="queue"), 3.0)
    assert view(table, 3.1).released == "queue"
    table.take(RoomGone(R, SID), 4.0)
    table.take(seen(phone(sid="PA_2", joined=50.0), "RM_2"), 4.1)
    table.take(lease(released="queue"), 4.2)  # it still shuts down
    found = view(table, 4.3)
    assert (found.lease, found.released) == (None, "")


def test_a_mark_of_release_outlives_its_agent() -> None:
    table = with_call(phone(), agent())
    table.take(
        MembersListed(R, 3.0, (phone(), agent(version=2, **attribute(RELEASED, "queue")))), 3.1
    )
    table.take(MemberGone(R, SID, "PA_agent"), 4.0)
    assert view(table, 5.0).released == "queue"


@pytest.mark.parametrize(
    ("mark", "until"),
    [
        ("inc_1;12.5", 15.7),
        ("inc_1;-3", 3.2),
        ("inc_1;1e9", 303.2),
        ("inc_1;nan", 63.2),
        ("x", 63.2),
    ],
)
def test_a_rescue_has_the_time_that_it_tells_within_reason(mark: str, until: float) -> None:
    table = with_call(phone(), agent())
    told = agent(version=2, **attribute(RESCUE, mark))
    for asked in (3.1, 5.1, 7.1):  # told again, it has no more time
        table.take(MembersListed(R, asked, (phone(), told)), asked + 0.1)
    assert view(table, 8.0).rescue_until == pytest.approx(until)


def test_a_rescue_that_has_ended_is_under_way_no_more() -> None:
    table = with_call(phone(), agent(**attribute(RESCUE, "inc_1;20")))
    assert view(table, 3.0).rescue == "inc_1"
    table.take(MembersListed(R, 3.0, (phone(), agent(version=2))), 3.1)
    assert view(table, 4.0).rescue_until is None


def test_a_hosts_rescue_has_time_from_each_lease_on() -> None:
    table = with_call(phone(), agent())
    table.take(lease(rescue_until=5.0), 3.0)
    assert view(table, 3.1).rescue_until == 8.0
    table.take(lease(), 4.0)
    assert view(table, 4.1).rescue_until is None


def test_the_ladder_travels_with_the_call() -> None:
    table = with_call(phone(), agent(**attribute(LADDER, "[]")))
    table.take(MemberGone(R, SID, "PA_agent"), 4.0)
    assert view(table, 5.0).ladder == "[]"


def test_the_latest_word_on_a_job_counts_whatever_came_last() -> None:
    words = [
        AgentJob(R, "AJ_1", "desk", "pending", "RETRYING"),
        AgentJob(R, "AJ_1", "desk", "ended", "NO_CAPACITY"),
    ]
    for order in (words, words[::-1]):
        table = with_call(phone())
        for word in order:
            table.take(word, 3.0)
        hint = view(table, 4.0).hint
        assert hint is not None
        assert (hint.reason, hint.at) == ("NO_CAPACITY", 3.0)
        assert view(table, 70.0).hint is None


def test_probes_count_in_the_order_in_which_they_were_asked() -> None:
    table = with_call(phone(), agent())
    for asked, result in (
        (3.0, ProbeResult.GONE),
        (5.0, ProbeResult.UNKNOWN),
        (4.0, ProbeResult.ANSWERED),  # late
        (6.0, ProbeResult.GONE),
    ):
        table.probed(R, "PA_agent", result, asked, 7.0)
    (found,) = view(table, 7.1).agents
    assert (found.unanswered, found.unanswered_since, found.answered) == (2, 3.0, None)
    assert not found.blocked
    table.probed(R, "PA_agent", ProbeResult.BLOCKED, 8.0, 9.0)
    assert view(table, 9.1).agents[0].blocked
    table.probed(R, "PA_agent", ProbeResult.ANSWERED, 10.0, 10.1)
    (found,) = view(table, 10.2).agents
    assert (found.unanswered, found.unanswered_since, found.answered) == (0, None, 10.0)


# time


def test_a_call_from_before_the_sentinel_has_its_age_from_the_server() -> None:
    table = CallTable()
    first = room(created=0.0)
    new = RoomSeen("call-2", "RM_2", EPOCH + 3600.0)
    table.take(listed(1.0, first, new), 1.1)
    table.take(MembersListed(R, 1.2, (phone(LineState.ACTIVE, joined=0.0),)), 1.3)
    found = view(table, 2.0)
    assert found.began_after is None
    assert found.server_age_since == pytest.approx(1.1 - 3600.0)
    assert row_of(found, 2.0, Limits(max_call=3000.0)).fault == "call.overlong"


def test_a_skewed_clock_ends_no_call_that_was_seen_to_begin() -> None:
    table = with_call(phone(LineState.ACTIVE, joined=-1e6), agent())
    table.take(RoomSeen("call-2", "RM_2", EPOCH + 1e6), 2.5)
    found = view(table, 3.0)
    assert row_of(found, 3.0, Limits(max_call=60.0)).fault != "call.overlong"


# which rooms are listed


def test_the_urgent_rooms_are_listed_first() -> None:
    table = CallTable()
    rooms = {
        "new": (),
        "alone": (phone(),),
        "miscounted": (phone(), agent()),
        "old": (phone(LineState.ACTIVE), agent()),
    }
    shown = tuple(room(f"RM_{name}", name=name, members=1) for name in rooms)
    table.take(listed(0.0, *shown), 0.1)
    assert set(table.wants(0.2)) == set(rooms)
    for name, members in rooms.items():
        if name != "new":
            mine = tuple(replace(m, sid=f"{m.sid}_{name}") for m in members)
            table.take(MembersListed(name, 0.2, mine), 0.3)
    assert table.wants(0.4) == ["new"]
    counted = tuple(replace(r, members=3 if r.room == "miscounted" else 1) for r in shown)
    table.take(listed(8.0, *counted), 8.1)
    assert table.wants(8.2) == ["new", "miscounted", "alone", "old"]


def test_a_count_that_a_list_has_explained_asks_for_no_other() -> None:
    table = with_call(phone(), agent())
    table.take(listed(10.0, room(members=3)), 10.1)
    table.take(MembersListed(R, 10.2, (phone(), agent())), 10.3)
    table.take(seen(agent(version=2)), 11.0)  # webhooks come
    table.take(listed(12.0, room(members=3)), 12.1)
    assert table.wants(12.2) == []


def test_a_covered_call_is_hardly_ever_listed() -> None:
    table = with_call(phone(), agent())
    for second in range(3, 30):
        table.take(lease(), float(second))
        table.take(listed(second + 0.1, room(members=1)), second + 0.2)
        assert table.wants(second + 0.3) == []

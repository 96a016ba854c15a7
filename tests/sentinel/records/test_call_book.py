"""The ends of calls, as webhooks and lists tell of them: one record a call."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from onhook.call import Direction, Leg, LegKind, LineState
from onhook.livekit.attribute_names import AGENT_NAME
from onhook.rescue.events import RescueEvent
from onhook.sentinel.calls import CallTable
from onhook.sentinel.records.call_book import CallBook
from onhook.sentinel.records.call_record import CallRecord, EndedBy
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.sightings import (
    HostLease,
    LeasedJob,
    Member,
    MemberGone,
    MembersListed,
    RescueSeen,
    RoomGone,
    RoomSeen,
    RoomsListed,
    Sighting,
    TrackChanged,
)
from tests.sentinel.records.telling import WALL, closed, opened, rescue
from tests.sentinel.test_calls import SID, R, agent, phone, seen
from tests.sentinel.world import OUTBOUND, SCANNER

ACTIVE, HANGUP, RINGING = LineState.ACTIVE, LineState.HANGUP, LineState.RINGING
ROOM = RoomSeen(R, SID, WALL + 9.0)
AGENT_SPEAKS = TrackChanged(R, SID, "PA_agent", "agent-1", "TR_1", audible=True, published=True)
SALES: Any = {AGENT_NAME: "sales"}


def gone(member: Member, reason: str = "CLIENT_INITIATED", sid: str = SID) -> MemberGone:
    return MemberGone(R, sid, member.sid, member.leg.identity, reason, member)


class Told:
    """A table and a book on a clock of the test's, at the same wall clock as the server."""

    def __init__(self) -> None:
        self.now = 0.0
        self.table = CallTable()
        self.book = self.started()
        self.records: list[CallRecord] = []

    def started(self) -> CallBook:
        book = CallBook(NumberMask(), clock=lambda: self.now, wall=lambda: WALL + self.now)
        self.table.tell(book)
        return book

    def restart(self) -> None:
        calls, events = self.book.news(1000)
        self.table = CallTable()
        self.book = self.started()
        self.book.restore([replace(call, seen_at=WALL + self.now) for call in calls], events)

    def take(self, at: float, *sightings: Sighting) -> None:
        self.now = max(self.now, at)
        for sighting in sightings:
            match sighting:
                case RescueSeen():
                    self.book.rescue_seen(sighting)
                    continue
                case RoomsListed() | MembersListed():
                    self.book.listed(sighting)
            self.table.take(sighting, self.now)

    def rescued(self, events: list[RescueEvent], room: str = "") -> None:
        for event in events:
            self.book.rescue_seen(RescueSeen(room, "host-1", event))

    def made(self, at: float) -> list[CallRecord]:
        self.now = max(self.now, at)
        found = []
        for due in self.book.due():
            found.append(self.book.record(due.call))
            self.book.made(due.call)
        self.records += found
        return found


@pytest.fixture
def told() -> Told:
    return Told()


def begin(told: Told, **more: Any) -> None:
    told.take(10.1, ROOM, seen(phone(**more)))
    told.take(12.0, seen(agent(**SALES)), AGENT_SPEAKS)


def test_a_call_by_webhooks_has_one_record(told: Told) -> None:
    told.take(9.0, HostLease("host-1", 3.0, (LeasedJob(R, "agent-1", "AJ_1"),)))
    begin(told)
    told.take(12.5, MembersListed(R, 12.4, (phone(ACTIVE, version=2), agent(**SALES))))
    told.take(40.0, gone(phone(HANGUP, version=3)))
    assert told.made(41.0) == [], "late events may come"
    (record,) = told.made(42.1)
    assert record == CallRecord(
        id=f"{SID}/PA_caller",
        room=R,
        direction=Direction.INBOUND,
        number="+15550199",
        caller="+15****00",
        trunk="ST_in",
        agent="sales",
        host="host-1",
        began_at=WALL + 10.1,
        answered_at=WALL + 12.0,
        ended_at=WALL + 40.0,
        ended_by=EndedBy.CALLER,
        ringing=1.9,
    )
    assert told.made(99.0) == []


def test_events_that_come_twice_or_late_or_in_another_order_make_no_other_record() -> None:
    whole: list[Sighting] = [
        ROOM,
        seen(phone()),
        seen(agent(**SALES)),
        AGENT_SPEAKS,
        gone(phone(HANGUP, version=3)),
        gone(agent()),
        RoomGone(R, SID),
    ]
    for seed in range(200):
        chance = random.Random(seed)  # noqa: S311 - a test's dice
        events = [*whole, *chance.choices(whole, k=4)]
        chance.shuffle(events)
        told = Told()
        for n, event in enumerate(events):
            told.take(20.0 + n / 10, event)
        told.made(60.0)
        told.made(120.0)
        names = {record.id for record in told.records}
        assert names == {f"{SID}/PA_caller"}, seed
        # told again where the server's word came after a guess
        assert [r.ended_by for r in told.records[-1:]] == [EndedBy.CALLER], seed


def test_a_call_whose_webhooks_are_lost_is_found_by_the_poll(told: Told) -> None:
    told.take(10.2, RoomsListed(10.1, (ROOM,)), MembersListed(R, 10.1, (phone(),)))
    told.take(14.2, MembersListed(R, 14.1, (phone(ACTIVE), agent(**SALES))))
    told.take(20.2, MembersListed(R, 20.1, (agent(**SALES),)))
    assert told.made(23.0) == [], "the server's word may still come"
    (record,) = told.made(26.5)
    assert (record.ended_by, record.ended_at) == (EndedBy.CALLER, WALL + 20.1)
    assert record.answered_at == pytest.approx(WALL + 14.2)


def test_the_servers_word_that_comes_later_is_believed(told: Told) -> None:
    begin(told)
    told.take(20.2, MembersListed(R, 20.1, (agent(**SALES),)))
    told.take(22.0, gone(phone(ACTIVE, version=2), "PARTICIPANT_REMOVED"))
    (record,) = told.made(24.5)
    assert (record.ended_by, record.ended_at) == (EndedBy.AGENT, WALL + 20.1)


def test_a_leg_that_one_list_has_missed_goes_on(told: Told) -> None:
    begin(told)
    told.take(20.2, MembersListed(R, 20.1, (agent(**SALES),)))
    told.take(22.2, MembersListed(R, 22.1, (phone(ACTIVE), agent(**SALES))))
    assert told.made(40.0) == []
    told.take(50.0, gone(phone(HANGUP)))
    assert len(told.made(53.0)) == 1


def test_a_room_that_is_gone_ends_its_calls(told: Told) -> None:
    begin(told)
    told.take(20.0, RoomsListed(19.9, ()))
    told.take(22.0, RoomsListed(21.9, ()))
    (record,) = told.made(30.0)
    assert record.ended_by is EndedBy.AGENT


def test_of_a_call_whose_end_alone_is_heard_there_is_a_record(told: Told) -> None:
    told.take(30.0, gone(phone(HANGUP)))
    (record,) = told.made(33.0)
    assert (record.number, record.began_at) == ("+15550199", WALL + 10.0)


def test_a_colleague_has_no_record_and_the_next_caller_has(told: Told) -> None:
    begin(told)
    colleague = phone(ACTIVE, sid="PA_col", joined=20.0, attributes=OUTBOUND)
    told.take(20.0, seen(colleague))
    told.take(30.0, gone(colleague))
    told.take(31.0, gone(phone(HANGUP)))
    told.take(35.0, seen(phone(sid="PA_second", joined=35.0)))
    told.take(36.0, gone(phone(HANGUP, sid="PA_second", joined=35.0)))
    assert [r.id for r in told.made(60.0)] == [f"{SID}/PA_caller", f"{SID}/PA_second"]


def test_a_number_that_is_dialled_again_is_another_call(told: Told) -> None:
    told.take(9.0, ROOM, seen(agent(joined=9.0)))
    for n, reason in enumerate(("USER_REJECTED", "USER_UNAVAILABLE")):
        dialled = phone(LineState.DIALING, sid=f"PA_{n}", joined=10.0 + n, attributes=OUTBOUND)
        told.take(10.0 + n, seen(dialled))
        told.take(10.5 + n, gone(dialled, reason))
    records = told.made(20.0)
    assert [r.ended_by for r in records] == [EndedBy.CARRIER] * 2
    assert [r.answered_at for r in records] == [None, None]
    assert records[0].direction is Direction.OUTBOUND
    assert records[0].ringing == pytest.approx(0.5)


def test_an_outbound_call_that_is_hung_up_was_answered(told: Told) -> None:
    told.take(9.0, ROOM, seen(agent(joined=9.0)))
    told.take(10.0, seen(phone(LineState.DIALING, attributes=OUTBOUND)))
    told.take(15.0, MembersListed(R, 14.9, (phone(ACTIVE, attributes=OUTBOUND), agent())))
    told.take(30.0, gone(phone(HANGUP, attributes=OUTBOUND)))
    (record,) = told.made(33.0)
    assert record.answered_at == WALL + 15.0
    assert record.ended_by is EndedBy.CALLER


def test_a_scanner_is_no_call(told: Told) -> None:
    told.take(10.0, ROOM, seen(phone(attributes=SCANNER)))
    told.take(11.0, gone(phone(HANGUP, attributes=SCANNER)))
    assert told.made(30.0) == []
    assert len(told.book) == 0


def test_a_person_is_no_call(told: Told) -> None:
    person = Member("PA_p", Leg("ann", LegKind.HUMAN), 1, WALL + 10.0)
    told.take(10.0, ROOM, seen(person))
    told.take(12.0, gone(person))
    assert told.made(30.0) == []


def test_a_rescue_is_joined_by_room_and_time(told: Told) -> None:
    begin(told)
    told.rescued(rescue(20.0, (20.5, 24.0), 24.4))
    told.rescued([opened(5000.0, incident="inc_later"), closed(5001.0, incident="inc_later")])
    told.rescued([opened(21.0, incident="inc_else", room="another")])
    told.take(24.4, gone(phone(ACTIVE, version=2), "ROOM_DELETED"))
    (record,) = told.made(27.0)
    assert (record.fault, record.incident, record.ring) == ("job.died", "inc_1", "guard")
    assert (record.mode, record.rescue, record.outcome) == ("act", "Say → HangUp", "released")
    assert record.ended_by is EndedBy.ONHOOK
    assert record.silent == pytest.approx(0.9)
    assert record.billed_after_fault == pytest.approx(4.4)


def test_a_rescue_without_its_outcome_is_waited_for(told: Told) -> None:
    begin(told)
    events = rescue(20.0, (20.5, 24.0), 24.4)
    told.rescued(events[:-1])
    told.take(24.4, gone(phone(ACTIVE, version=2), "ROOM_DELETED"))
    assert told.made(28.0) == []
    told.rescued(events[-1:])
    assert [r.outcome for r in told.made(28.5)] == ["released"]


def test_a_rescue_that_is_told_late_amends_the_record(told: Told) -> None:
    begin(told)
    told.take(24.4, gone(phone(ACTIVE, version=2), "ROOM_DELETED"))
    (first,) = told.made(27.0)
    assert (first.fault, first.ended_by) == ("", EndedBy.AGENT)
    told.rescued(rescue(20.0, (20.5, 24.0), 24.4))
    (again,) = told.book.due()
    assert again.again
    (second,) = told.made(90.0)
    assert (second.id, second.fault, second.ended_by) == (first.id, "job.died", EndedBy.ONHOOK)
    told.rescued(rescue(20.0, (20.5, 24.0), 24.4))
    assert told.made(91.0) == [], "nothing new"


def test_a_restart_in_mid_call_keeps_what_was_known(told: Told) -> None:
    begin(told)
    told.rescued(rescue(12.5, (13.0, 14.0), 15.0)[:3])
    told.now = 15.0
    told.restart()
    told.take(20.0, RoomsListed(19.9, (ROOM,)))
    told.take(20.1, MembersListed(R, 20.0, (phone(ACTIVE), agent(**SALES))))
    told.take(60.0, gone(phone(HANGUP)))
    (record,) = told.made(80.0)
    assert (record.began_at, record.answered_at) == (WALL + 10.1, WALL + 12.0)
    assert record.fault == "job.died"


def test_a_call_that_ended_while_no_sentinel_ran_has_a_record(told: Told) -> None:
    begin(told)
    told.now = 15.0
    told.restart()
    told.take(300.0, RoomsListed(299.9, ()))
    (record,) = told.made(310.0)
    assert record.ended_by is EndedBy.UNKNOWN
    assert record.ended_at == pytest.approx(WALL + 15.0)
    assert record.agent == "sales"
    told.take(320.0, RoomsListed(319.9, ()))
    assert told.made(330.0) == []

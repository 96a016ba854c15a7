"""How calls stand, and which of them come first."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from onhook.call import Call, Direction, Leg, LegKind, LineState
from onhook.sentinel.call_view import AgentView, CallView
from onhook.sentinel.web.call_rows import CallsNow, CallState, calls_now
from onhook.sentinel.web.wording import Words

CALLER = Leg("sip_1", LegKind.CALLER, LineState.ACTIVE)
RINGING = Leg("sip_1", LegKind.CALLER, LineState.RINGING)
PERSON = Leg("ann", LegKind.HUMAN)
AGENT = AgentView("agent-1", "PA_1", 0.0, 0.0)


def view(room: str, *legs: Leg, **values: Any) -> CallView:
    call = Call(room, legs, direction=Direction.INBOUND)
    return CallView(
        call=call,
        sid=f"RM_{room}",
        caller={"sip.phoneNumber": "+15550100123", "sip.trunkPhoneNumber": "+15550199123"},
        first_seen=10.0,
        **values,
    )


ALONE = view("alone", CALLER, alone_since=12.0, answered_since=15.0)
HEALTHY = view("healthy", CALLER, agents=(AGENT,), agent_name="desk", answered_since=11.0)


def now(*views: CallView, uneasy: tuple[CallView, ...] = (), **values: Any) -> CallsNow:
    given = {"total": len(views), "most": 200, "offset": 1000.0, **values}
    return calls_now(uneasy, views, Words(), **given)


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        (ALONE, CallState.ALONE),
        (HEALTHY, CallState.AGENT),
        (view("a", RINGING, ringing_since=10.0, alone_since=10.0), CallState.RINGING),
        (view("a", CALLER, PERSON), CallState.COMPANY),
        (view("a", CALLER, agents=(replace(AGENT, unanswered=2),)), CallState.UNANSWERING),
        (view("a", CALLER, agents=(replace(AGENT, unanswered=2), AGENT)), CallState.AGENT),
        (view("a", CALLER, alone_since=1.0, rescue_until=20.0), CallState.RESCUE),
        (replace(view("a"), call=Call("a", complete=False)), CallState.UNSEEN),
    ],
)
def test_a_call_is_shown_as_it_stands(shown: CallView, state: CallState) -> None:
    (row,) = now(shown).rows
    assert row.state is state


def test_silence_begins_with_the_answer_and_times_are_since_1970() -> None:
    (row,) = now(ALONE).rows
    assert (row.began, row.ringing, row.silent) == (1010, None, 1015)
    (row,) = now(view("a", RINGING, ringing_since=10.0, alone_since=10.0)).rows
    assert (row.ringing, row.silent) == (1010, None)


def test_the_worst_come_first_and_nothing_of_a_number_is_whole() -> None:
    told = now(HEALTHY, ALONE, incidents={"alone": "inc_1"})
    assert [row.room for row in told.rows] == ["alone", "healthy"]
    assert [row.incident for row in told.rows] == ["inc_1", ""]
    assert told.silent == 1
    assert "5550100" not in repr(told)
    assert {row.number for row in told.rows} == {"+15*******23"}


def test_a_rescue_of_this_sentinels_own_is_shown() -> None:
    assert now(ALONE, attended={"alone"}).rescues == 1


def test_of_too_many_calls_those_that_nobody_looks_after_are_listed() -> None:
    healthy = tuple(view(f"h-{n}", CALLER, agents=(AGENT,)) for n in range(50))
    told = now(*healthy, ALONE, uneasy=(ALONE,), most=10)
    assert len(told.rows) == 10
    assert told.rows[0].room == "alone"
    assert told.more == 41


def test_a_room_without_a_phone_is_no_call() -> None:
    assert now(view("web", PERSON, agents=(AGENT,))).rows == ()

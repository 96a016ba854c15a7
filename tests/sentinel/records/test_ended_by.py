from __future__ import annotations

from typing import Any

import pytest

from onhook.call import LineState
from onhook.rescue.events import RescueEvent
from onhook.sentinel.call_legs import LegEnd
from onhook.sentinel.records.call_record import EndedBy
from onhook.sentinel.records.ended_by import ended_by
from tests.sentinel.records.telling import WALL, closed, incident, intent, leg, opened, rescue
from tests.sentinel.test_calls import phone

END = 24.4
HUNG_UP, RINGING = phone(LineState.HANGUP), phone(LineState.RINGING)
ACTIVE = phone(LineState.ACTIVE)
RESCUED = rescue(20.0, (20.5, 24.0), END)
AGENT = {"agent_there": True}


@pytest.mark.parametrize(
    ("member", "reason", "more", "events", "who"),
    [
        (HUNG_UP, "CLIENT_INITIATED", AGENT, [], EndedBy.CALLER),
        (HUNG_UP, "CLIENT_INITIATED", {}, RESCUED, EndedBy.CALLER),
        (RINGING, "CLIENT_INITIATED", {}, [], EndedBy.NOBODY),
        (ACTIVE, "CLIENT_INITIATED", {}, [], EndedBy.CARRIER),
        (RINGING, "USER_REJECTED", AGENT, [], EndedBy.CARRIER),
        (RINGING, "USER_UNAVAILABLE", AGENT, [], EndedBy.CARRIER),
        (ACTIVE, "SIP_TRUNK_FAILURE", AGENT, [], EndedBy.CARRIER),
        (ACTIVE, "CONNECTION_TIMEOUT", AGENT, [], EndedBy.CARRIER),
        (ACTIVE, "", AGENT, [], EndedBy.CARRIER),
        (ACTIVE, "ROOM_CLOSED", {}, [], EndedBy.NOBODY),
        (ACTIVE, "SERVER_SHUTDOWN", AGENT, [], EndedBy.NOBODY),
        (ACTIVE, "PARTICIPANT_REMOVED", AGENT, [], EndedBy.AGENT),
        (ACTIVE, "ROOM_DELETED", AGENT, [], EndedBy.AGENT),
        (ACTIVE, "ROOM_DELETED", {"agent_left": END - 5.0}, [], EndedBy.AGENT),
        (ACTIVE, "ROOM_DELETED", {"agent_left": END - 60.0}, [], EndedBy.COLLEAGUE),
        (ACTIVE, "ROOM_DELETED", {"released": "warm transfer"}, [], EndedBy.AGENT),
        (ACTIVE, "PARTICIPANT_REMOVED", {"company": True}, [], EndedBy.COLLEAGUE),
        (ACTIVE, "PARTICIPANT_REMOVED", AGENT, RESCUED, EndedBy.ONHOOK),
        (ACTIVE, "ROOM_DELETED", {"rescued": True}, [], EndedBy.ONHOOK),
        (ACTIVE, "ROOM_DELETED", AGENT, [opened(9.0), closed(9.5, "kept")], EndedBy.AGENT),
        (ACTIVE, "ROOM_DELETED", AGENT, [opened(9.0, mode="observe")], EndedBy.AGENT),
        (ACTIVE, "ROOM_DELETED", {}, [opened(20.0), intent("hang_up", 24.3)], EndedBy.ONHOOK),
        (
            HUNG_UP,
            "CLIENT_INITIATED",
            {},
            [opened(20.0), closed(END - 1.0, "transferred")],
            EndedBy.ONHOOK,
        ),
    ],
)
def test_who_ended_a_call(
    member: Any, reason: str, more: dict[str, Any], events: list[RescueEvent], who: EndedBy
) -> None:
    told = [incident(events)] if events else []
    ended = leg(member=member, **more)
    assert ended_by(ended, LegEnd(END, reason), told, WALL + END) is who


@pytest.mark.parametrize(
    ("room_over", "more", "events", "who"),
    [
        (False, AGENT, [], EndedBy.CALLER),
        (True, AGENT, [], EndedBy.AGENT),
        (True, {}, [], EndedBy.UNKNOWN),
        (True, {}, RESCUED, EndedBy.ONHOOK),
    ],
)
def test_by_polling_alone_it_is_guessed(
    room_over: bool, more: dict[str, Any], events: list[RescueEvent], who: EndedBy
) -> None:
    told = [incident(events)] if events else []
    end = LegEnd(END, told=False, room_over=room_over)
    assert ended_by(leg(member=ACTIVE, **more), end, told, WALL + END) is who

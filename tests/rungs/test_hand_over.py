from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onhook.errors import PolicyError
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rungs import HandOver, HangUp
from tests.fakes import FakeLine, agent, call_of, caller, human

pytestmark = pytest.mark.looptime


async def rescue(line: FakeLine, rung: HandOver) -> Outcome:
    incident = Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0), line.call)
    clock = asyncio.get_running_loop().time
    return await Engine(line, policy=Policy(lost=[rung, HangUp()]), clock=clock).handle(incident)


async def test_a_person_in_the_room_gets_the_caller() -> None:
    line = FakeLine(call_of(caller(), human("ann")))
    outcome = await rescue(line, HandOver())
    assert outcome.ending == "taken_over"
    assert "'ann'" in outcome.detail
    assert line.asked == []


@pytest.mark.parametrize("rung", [HandOver(), HandOver("ben")])
async def test_without_that_person_the_next_rung_follows(rung: HandOver) -> None:
    company = () if rung.to is None else (human("ann"),)
    line = FakeLine(call_of(caller(), agent(), *company))
    outcome = await rescue(line, rung)
    assert outcome.ending == "released"
    assert "nobody to hand over to" in outcome.reports[0].detail


async def test_the_person_who_was_named_gets_the_caller() -> None:
    line = FakeLine(call_of(caller(), human("ann")))
    assert (await rescue(line, HandOver("ann"))).ending == "taken_over"


@pytest.mark.parametrize("settings", [{"to": ""}, {"to": 7}, {"deadline": 0}])
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match=rf"HandOver\({next(iter(settings))}="):
        HandOver(**settings)

"""What the watchdog does to a call for a job, in each mode."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from onhook.call import LineState
from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident
from onhook.ladder import Ladder
from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.rungs import HangUp, Say
from onhook.sinks.journal import MemoryJournal, Step
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import AWAITING, TRANSFERRING, Beat, Hello
from tests.fakes import AGENT, FakeLine, call_of, caller
from tests.rescue.telling import story

pytestmark = pytest.mark.looptime

ACTS = Hello("room", "AJ_1", AGENT, 7, JobPolicy.of(Policy()))
OBSERVES = msgspec.structs.replace(ACTS, mode="observe")
HUNG = Failure(Fault.JOB_HUNG, "no sign of life", 0.0)
WORDS = replace(HUNG, severity=Severity.IMPAIRED)


class AnyLine(FakeLine):
    """Stands in for the watchdog's own line."""

    async def __aenter__(self) -> AnyLine:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def rescuing(monkeypatch: pytest.MonkeyPatch) -> tuple[JobRescuer, AnyLine, MemoryJournal]:
    line, journal = AnyLine(call_of(caller())), MemoryJournal()

    def opened(*_: Any, **__: Any) -> AnyLine:
        return line

    monkeypatch.setattr("onhook.livekit.bounded_line.BoundedLine", opened)
    clock = asyncio.get_running_loop().time
    rescuer = JobRescuer(Credentials("ws://host", "key", "secret"), journal, clock=clock)

    async def prepare() -> None:
        pass

    monkeypatch.setattr(rescuer, "prepare", prepare)
    return rescuer, line, journal


async def test_a_hung_job_s_agent_is_removed_and_its_caller_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rescuer, line, _ = rescuing(monkeypatch)
    await rescuer.rescue(ACTS, HUNG, intruder=True)
    assert line.asked == [f"remove {AGENT}", "say", "delete"]


async def test_where_it_only_observes_nothing_is_asked_of_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rescuer, line, journal = rescuing(monkeypatch)
    await rescuer.soften(OBSERVES, WORDS)
    await rescuer.rescue(OBSERVES, HUNG, intruder=True)
    incident = Incident(HUNG, call_of(caller()), "inc_begun")
    begun = story(incident, Ladder((Say(), HangUp())), begun="say")
    outcome = await rescuer.resume(OBSERVES, begun, "the job has died", intruder=True)
    assert outcome.ending == "observed"
    assert line.asked == []
    closed = [entry for entry in journal.entries() if entry.step is Step.CLOSED]
    assert [entry.subject for entry in closed] == ["observed"] * 3
    assert [entry.detail.rpartition(": ")[2] for entry in closed] == ["say, keep"] + [
        "say, hang_up"
    ] * 2


DIED = Failure(Fault.JOB_DIED, "the job has died without a goodbye", 0.0)


@pytest.mark.parametrize("leaving", [TRANSFERRING, AWAITING])
@pytest.mark.parametrize(
    ("comes", "until"), [(True, 30.0), (False, 30.0), (True, 60.0), (False, 10.0)]
)
async def test_whoever_an_agent_has_left_its_caller_to_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, leaving: str, comes: bool, until: float
) -> None:
    rescuer, line, _ = rescuing(monkeypatch)
    colleague = caller(LineState.RINGING, "sip_2")
    line.call = call_of(caller()) if leaving == TRANSFERRING else call_of(colleague, caller())
    after = {
        TRANSFERRING: call_of(),
        AWAITING: call_of(caller(LineState.ACTIVE, "sip_2"), caller()),
    }

    takes = until - 8.0

    async def somebody_comes() -> None:
        await asyncio.sleep(takes)
        if comes:
            line.call = after[leaving]

    coming = asyncio.create_task(somebody_comes())
    began = asyncio.get_running_loop().time()
    news = Beat(0.0, leaving, left_until=began + until)
    await rescuer.rescue(ACTS, DIED, intruder=False, news=news)
    took = asyncio.get_running_loop().time() - began
    await coming
    assert line.asked == ([] if comes else ["say", "delete"])
    assert took == pytest.approx(takes if comes else until, abs=1.0)


async def test_a_phone_that_rings_beside_the_caller_of_a_killed_job_is_no_company(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rescuer, line, _ = rescuing(monkeypatch)
    line.call = call_of(caller(LineState.RINGING, "sip_2"), caller())
    await rescuer.rescue(ACTS, DIED, intruder=False)
    assert line.asked[0] == "say"

"""A guard that is killed between intent and outcome: what the watchdog does, rung by rung."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from onhook.call import Call
from onhook.faults import Fault
from onhook.incident import Ending, Failure, Incident, Outcome, Result
from onhook.ladder import Ladder
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Intent, Opened, RescueEvent, Ring
from onhook.rescue.progress import Progress
from onhook.rungs import DeleteRoom, HangUp, Redispatch, RemoveCallers, Rung, Say, Transfer
from onhook.sinks.journal import MemoryJournal, Step
from onhook.watchdog.daemon.guard_rescue import GuardRescue
from onhook.watchdog.protocol.frames import Frames, decode, encode
from tests.fakes import FakeLine, agent, call_of, caller, fails, hangs, refused
from tests.rescue.telling import closed, intent, opened

pytestmark = pytest.mark.looptime

SAY, REFER, SEND = Say("sorry"), Transfer("tel:+15550123"), Redispatch("standby")
ALL: tuple[Rung, ...] = (SAY, REFER, SEND)


class Teller:
    """Tells over the wire as a job does, and is cut off once a rung is about to be climbed."""

    def __init__(self, last: str) -> None:
        self._last = last
        self._frames = Frames()
        self.recorded: GuardRescue | None = None
        self.struck = asyncio.Event()

    def handle(self, event: RescueEvent) -> None:
        if self.struck.is_set():
            return
        for body in self._frames.feed(encode(event)):
            told = decode(body)
            if isinstance(told, Opened):
                self.recorded = GuardRescue(told, since=0.0)
            elif self.recorded is not None:
                self.recorded.take(told)  # type: ignore[arg-type]
        if isinstance(event, Intent) and event.rung == self._last:
            self.struck.set()


@dataclass
class Killed:
    """What a guard leaves behind."""

    recorded: GuardRescue
    asked: list[str]
    """What it had asked of the line."""
    world: FakeLine
    """The line as the watchdog finds it."""


async def killed(ladder: Ladder, at: Rung, line: FakeLine) -> Killed:
    """Let a guard climb until it hangs in a rung; then it is no more."""
    policy = Policy(lost=ladder)
    teller = Teller(at.name)
    incident = Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0), line.call)
    guard = asyncio.create_task(Engine(line, policy=policy, sinks=[teller]).handle(incident))
    await teller.struck.wait()
    await asyncio.sleep(1.0)
    left = FakeLine(line.call, sent=list(line.sent))
    asked = list(line.asked)
    guard.cancel()
    await asyncio.gather(guard, return_exceptions=True)
    assert teller.recorded is not None
    assert Progress.of(teller.recorded.events).begun == at.name
    return Killed(teller.recorded, asked, left)


async def taken_over(left: Killed, journal: MemoryJournal | None = None) -> Outcome:
    engine = Engine(left.world, sinks=[journal or MemoryJournal()], ring=Ring.WATCHDOG)
    return await engine.resume(left.recorded.events, "the job has died")


def nobody() -> Call:
    return call_of()


async def test_in_the_words_they_are_said_from_their_beginning() -> None:
    line = FakeLine(call_of(caller()), says=[hangs])
    left = await killed(Ladder((*ALL, HangUp())), SAY, line)
    outcome = await taken_over(left)
    assert left.world.asked == ["say", "transfer sip_1"]
    assert outcome.ending == "transferred"


async def test_in_a_transfer_that_succeeds_nobody_is_referred_twice() -> None:
    line = FakeLine(call_of(caller()), transfers=[hangs])
    left = await killed(Ladder((*ALL, HangUp())), REFER, line)
    assert left.asked == ["say", "transfer sip_1"]
    asyncio.get_running_loop().call_later(2.0, setattr, left.world, "call", nobody())
    outcome = await taken_over(left)
    assert left.world.asked == []
    assert outcome.ending == "transferred"
    assert [(r.rung, r.result) for r in outcome.reports] == [
        ("say", Result.DONE),
        ("transfer", Result.DONE),
    ]


async def test_in_a_transfer_that_leads_nowhere_the_next_rung_follows() -> None:
    line = FakeLine(call_of(caller()), transfers=[hangs])
    left = await killed(Ladder((*ALL, HangUp())), REFER, line)
    outcome = await taken_over(left)
    assert left.world.asked == ["dispatch standby", "hear AD_0"]
    assert outcome.ending == "taken_over"


async def test_in_a_redispatch_the_agent_that_was_sent_is_awaited() -> None:
    line = FakeLine(call_of(caller()), transfers=[fails(refused())], hearings=[hangs])
    left = await killed(Ladder((*ALL, HangUp())), SEND, line)
    assert left.asked == ["say", "transfer sip_1", "dispatch standby", "hear AD_0"]
    outcome = await taken_over(left)
    assert left.world.asked == ["hear AD_0"]
    assert outcome.ending == "taken_over"
    assert len(left.world.sent) == 1


async def test_in_a_redispatch_that_was_not_yet_sent_it_is_sent_once() -> None:
    line = FakeLine(call_of(caller()), transfers=[fails(refused())], dispatchings=[hangs])
    left = await killed(Ladder((*ALL, HangUp())), SEND, line)
    outcome = await taken_over(left)
    assert left.world.asked == ["dispatch standby", "hear AD_0"]
    assert outcome.ending == "taken_over"


RELEASES = [(RemoveCallers(), "remove sip_1"), (DeleteRoom(), "delete"), (HangUp(), "delete")]


@pytest.mark.parametrize(("last", "act"), RELEASES, ids=str)
async def test_in_a_release_it_is_done_and_the_words_are_not_repeated(last: Rung, act: str) -> None:
    line = FakeLine(call_of(caller()), removals=[hangs], deletions=[hangs])
    left = await killed(Ladder((SAY, last)), last, line)
    assert left.asked == ["say", act]
    journal = MemoryJournal()
    outcome = await taken_over(left, journal)
    assert left.world.asked == [act]
    assert outcome.ending == "released"
    entries = journal.entries(outcome.incident)
    ours = [e for e in entries if e.ring is Ring.WATCHDOG]
    assert [e.subject for e in ours if e.step is Step.INTENT] == [last.name]
    told = [e for e in entries if e.ring is Ring.GUARD]
    assert [(e.step, e.subject) for e in told] == [
        (Step.OPENED, "entrypoint.raised"),
        (Step.INTENT, "say"),
        (Step.RUNG, "say"),
        (Step.INTENT, last.name),
    ]


@pytest.mark.parametrize(("last", "act"), RELEASES, ids=str)
async def test_in_a_release_that_was_done_already_nothing_is_left_to_do(
    last: Rung, act: str
) -> None:
    line = FakeLine(call_of(caller()), removals=[hangs], deletions=[hangs])
    left = await killed(Ladder((SAY, last)), last, line)
    left.world.call = nobody()
    ending: Ending = (await taken_over(left)).ending
    assert ending == "released"
    assert act not in left.world.asked


@pytest.mark.parametrize("same", [True, False], ids=["one journal", "a journal of its own"])
async def test_the_journal_tells_why_another_goes_on(*, same: bool) -> None:
    line = FakeLine(call_of(caller()), says=[hangs])
    left = await killed(Ladder((SAY, HangUp())), SAY, line)
    journal = MemoryJournal()
    if same:
        for event in left.recorded.events:
            journal.handle(event)
    await taken_over(left, journal)
    entries = journal.entries(left.recorded.opened.incident)
    begun, _, resumed, *_ = entries
    assert begun.ring is Ring.GUARD, "it was the guard's, whoever wrote it down"
    assert [e.step for e in entries].count(Step.OPENED) == 1
    assert begun.step is Step.OPENED
    assert (resumed.step, resumed.subject) == (Step.RESUMED, "say")
    assert resumed.detail == "the job has died"


async def test_in_a_redispatch_an_agent_that_has_joined_must_still_be_heard() -> None:
    line = FakeLine(call_of(caller()), hearings=[hangs])
    left = await killed(Ladder((SEND, HangUp())), SEND, line)
    left.world.call = call_of(caller(), agent("agent-2"))
    left.world.hearings = [hangs]
    outcome = await taken_over(left)
    assert left.world.asked == ["hear AD_0", "withdraw AD_0", "delete"]
    assert outcome.ending == "released", "it was never heard"


def test_however_much_is_told_the_end_is_known() -> None:
    failure = Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0)
    rescue = GuardRescue(opened(Incident(failure, nobody(), "inc"), Ladder((SAY, HangUp()))), 0.0)
    for number in range(1000):
        rescue.take(intent("inc", "say", float(number)))
    assert rescue.unfinished
    rescue.take(closed(Outcome("inc", "released", "done")))
    assert rescue.settled
    assert len(rescue.events) <= 200

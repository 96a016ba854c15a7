"""Going on with a rescue that was cut off: nothing that is known to be done is done again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.faults import Fault
from onhook.incident import Failure, Incident, Result, RungReport
from onhook.ladder import Ladder
from onhook.rescue.engine import Engine
from onhook.rescue.events import Climbed, Closed, Intent, Opened, Resumed
from onhook.rescue.progress import Progress, rest, settled
from onhook.rungs import HangUp, Keep, Say
from onhook.sinks.journal import MemoryJournal, Step
from tests.fakes import FakeLine, call_of, caller, done, fails, human, refused
from tests.rescue.telling import Kept, story

pytestmark = pytest.mark.looptime

LADDER = Ladder((Say("one"), Say("two"), HangUp()))
ONE, TWO, LAST = LADDER.rungs


def report(rung: str, result: Result = Result.DONE) -> RungReport:
    return RungReport(rung, result, "told by the guard", 0.0, 1.0)


def incident(line: FakeLine) -> Incident:
    return Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0), line.call)


@pytest.mark.parametrize(
    ("past", "left", "resumed"),
    [
        (Progress(LADDER), [ONE, TWO, LAST], False),
        (Progress(LADDER, begun="say"), [ONE, TWO, LAST], True),
        (Progress(LADDER, (report("say"),)), [TWO, LAST], False),
        (Progress(LADDER, (report("say", Result.FAILED),)), [TWO, LAST], False),
        (Progress(LADDER, (report("say"),), "say"), [TWO, LAST], True),
        (Progress(LADDER, (report("say"), report("say"))), [LAST], False),
        (Progress(LADDER, (report("say", Result.CANCELLED),), "hang_up"), [LAST], True),
        (Progress(LADDER, (report("say"), report("hang_up", Result.FAILED))), [LAST], False),
        (Progress(LADDER, (report("hang_up", Result.CANCELLED),), "hang_up"), [LAST], True),
        (Progress(LADDER, (), "no such rung"), [LAST], True),
    ],
)
def test_what_is_left_to_climb(past: Progress, left: list[object], resumed: bool) -> None:
    got = rest(past)
    assert [step.rung for step in got] == left
    assert [step.resumed for step in got] == [resumed] + [False] * (len(left) - 1)


@given(
    st.lists(st.tuples(st.sampled_from(["say", "hang_up"]), st.sampled_from(Result)), max_size=6),
    st.sampled_from(["", "say", "hang_up"]),
)
def test_whatever_was_told_the_last_rung_remains(
    told: list[tuple[str, Result]], begun: str
) -> None:
    past = Progress(LADDER, tuple(report(*each) for each in told), begun)
    assert rest(past)[-1].rung is LAST
    was_done = any(name == "hang_up" and result is Result.DONE for name, result in told)
    assert (settled(past) is not None) == was_done


async def test_a_rung_that_was_done_is_not_repeated_and_the_next_one_is_climbed() -> None:
    line = FakeLine(call_of(caller()))
    kept = Kept()
    events = story(incident(line), Ladder((Say(), HangUp())), (report("say"),), "hang_up")
    outcome = await Engine(line, sinks=[kept]).resume(events, "it died")
    assert outcome.ending == "released"
    assert line.asked == ["delete"]
    assert [r.rung for r in outcome.reports] == ["say", "hang_up"]
    told, ours = [Opened, Climbed, Intent], [Resumed, Intent, Climbed, Closed]
    assert kept.kinds == [*told, *ours]


async def test_an_incident_that_had_ended_is_closed_and_nothing_is_done() -> None:
    line = FakeLine(call_of(caller()))
    events = story(incident(line), Ladder((HangUp(),)), (report("hang_up"),))
    outcome = await Engine(line).resume(events, "it died")
    assert outcome.ending == "released"
    assert outcome.detail == "told by the guard"
    assert not line.asked


async def test_a_journal_that_has_the_incident_gets_no_second_beginning() -> None:
    line = FakeLine(call_of(caller()), deletions=[fails(refused())], removals=[fails(refused())])
    journal, kept = MemoryJournal(), Kept()
    first = await Engine(line, sinks=[journal, kept]).handle(happened := incident(line))
    assert first.ending == "handed_outward"
    line.deletions = [done]
    second = await Engine(line, sinks=[journal]).resume(kept.events, "the guard could not")
    assert second.ending == "released"
    assert line.asked.count("say") == 1, "the words are not said again"
    steps = [entry.step for entry in journal.entries(happened.id)]
    assert steps.count(Step.OPENED) == 1


async def test_who_has_taken_over_meanwhile_keeps_the_call() -> None:
    line = FakeLine(call_of(caller()))
    happened = incident(line)
    line.join(human("colleague"))
    events = story(happened, LADDER, (report("say"), report("say")))
    outcome = await Engine(line).resume(events, "it died")
    assert outcome.ending == "taken_over"
    assert not line.asked


async def test_what_was_left_on_purpose_stays_so() -> None:
    line = FakeLine(call_of(caller()))
    ladder = Ladder((Say(), Keep("on purpose")))
    events = story(incident(line), ladder, (report("say"), report("keep")))
    outcome = await Engine(line).resume(events, "it died")
    assert outcome.ending == "kept"
    assert not line.asked

"""The table of states: each row by name, and what must hold whatever the facts are."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.faults import Severity
from onhook.jobguard.silence.__main__ import table
from onhook.jobguard.silence.standing import TABLE, Facts, Limits, Standing, Warned, judge

LIMITS = Limits(dead_air=6.0, tool_limit=30.0, give_up=15.0)
NEVER = float("inf")
QUIET = Facts(now=100.0, quiet_since=90.0, heard_until=80.0)

ROWS = {
    Standing.LINE_NOT_ANSWERED: {"answered": False, "answer_due_since": 80.0},
    Standing.SESSION_GONE: {"gone": True, "answer_due_since": 80.0},
    Standing.ON_HOLD: {"held": "music", "tools_since": 80.0},
    Standing.AGENT_IS_HEARD: {"heard_until": 101.0, "answer_due_since": 80.0},
    Standing.CALLER_SPEAKS: {"caller_speaks": True, "answer_due_since": 80.0},
    Standing.AGENT_OWES_THE_REST: {"broken_off_at": 91.0},
    Standing.AGENT_WAITS_FOR_CALLER: {
        "tools_since": 70.0,
        "tools_told": True,
        "task_listens": True,
    },
    Standing.AGENT_WORKS_AND_SAID_SO: {"tools_since": 70.0, "tools_told": True},
    Standing.AGENT_WORKS: {"tools_since": 91.0},
    Standing.AGENT_OWES_AN_ANSWER: {"answer_due_since": 91.0},
    Standing.AGENT_ANSWERED_NOTHING: {"nothing_since": 91.0},
    Standing.CALLBACK_MAY_HANG: {"callback_since": 91.0},
    Standing.CALLER_WAS_NOT_ANSWERED: {"unanswered_since": 91.0},
    Standing.NOBODY_OWES: {},
}


def facts_of(standing: Standing) -> Facts:
    return replace(QUIET, **ROWS[standing])  # type: ignore[arg-type]


@pytest.mark.parametrize("standing", Standing)
def test_every_row_is_reached(standing: Standing) -> None:
    assert judge(facts_of(standing), LIMITS).standing is standing


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.standing.value)
def test_what_nobody_owes_is_never_due(row: object) -> None:
    for owes_nothing in (r for r in TABLE if r.since is None):
        facts = facts_of(owes_nothing.standing)
        for warned in (None, Warned(50.0, 60.0)):
            assert judge(facts, LIMITS, warned).due == NEVER


def test_the_first_silence_is_worth_words_and_no_more() -> None:
    for row in (r for r in TABLE if r.since is not None):
        judgement = judge(facts_of(row.standing), LIMITS)
        assert judgement.severity is Severity.IMPAIRED
        patience = 30.0 if row.patience == "tool_limit" else 6.0
        assert judgement.due == judgement.since + patience  # type: ignore[operator]


def test_the_end_takes_a_second_kind_of_evidence() -> None:
    facts = facts_of(Standing.AGENT_OWES_AN_ANSWER)
    bound = judge(facts, LIMITS, Warned(99.0))
    assert (bound.due, bound.severity) == (99.0 + 15.0, Severity.LOST)
    again = judge(facts, LIMITS, Warned(99.0, spoke_again_at=102.0))
    assert again.due == 102.0 + 6.0
    assert "spoke again" in again.evidence


def test_a_voice_that_nothing_answers_ends_a_call_only_by_speaking_again() -> None:
    facts = facts_of(Standing.CALLER_WAS_NOT_ANSWERED)
    assert judge(facts, LIMITS, Warned(99.0)).due == NEVER
    assert judge(facts, LIMITS, Warned(95.0, 96.0)).due == 91.0 + 12.0, "twice dead_air"
    assert judge(facts, LIMITS, Warned(99.0, 102.0)).due == 102.0 + 4.0, "it may stir yet"
    still = dataclasses.replace(facts, still=True)
    assert judge(still, LIMITS, Warned(99.0, 103.5)).due == 103.5, "it shows no sign of life"


def test_an_announcement_is_no_conversation() -> None:
    """In a menu and on hold the other side speaks, and the agent is silent on purpose."""
    for standing in (Standing.CALLER_WAS_NOT_ANSWERED, Standing.AGENT_ANSWERED_NOTHING):
        menu = replace(facts_of(standing), outbound=True, conversed=False)
        assert judge(menu, LIMITS).standing is Standing.NOBODY_OWES


def test_an_empty_answer_never_ends_a_call_that_we_placed() -> None:
    facts = replace(facts_of(Standing.AGENT_ANSWERED_NOTHING), outbound=True)
    assert judge(facts, LIMITS).due == 97.0
    assert judge(facts, LIMITS, Warned(99.0, 103.0)).due == NEVER


def test_a_tool_has_its_own_limit_before_the_end() -> None:
    facts = facts_of(Standing.AGENT_WORKS)
    assert judge(facts, LIMITS, Warned(98.0)).due == 91.0 + 30.0
    assert judge(facts, Limits(None, 30.0, 15.0)).due == NEVER


times = st.floats(0, 200)
maybe = st.none() | times


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    return Facts(
        now=draw(times),
        answered=draw(st.booleans()),
        gone=draw(st.booleans()),
        held=draw(st.sampled_from(["", "music"])),
        caller_speaks=draw(st.booleans()),
        quiet_since=draw(times),
        heard_until=draw(times),
        broken_off_at=draw(maybe),
        tools_since=draw(maybe),
        tools_told=draw(st.booleans()),
        task_listens=draw(st.booleans()),
        answer_due_since=draw(maybe),
        model_asked_at=draw(maybe),
        nothing_since=draw(maybe),
        callback_since=draw(maybe),
        unanswered_since=draw(maybe),
        conversed=draw(st.booleans()),
        outbound=draw(st.booleans()),
    )


warnings = st.none() | st.builds(Warned, times, maybe)


@given(any_facts(), warnings)
def test_no_fault_without_a_debt_and_none_before_dead_air(
    facts: Facts, warned: Warned | None
) -> None:
    judgement = judge(facts, LIMITS, warned)
    if judgement.due == NEVER:
        return
    assert judgement.since is not None
    if judgement.standing is not Standing.CALLER_WAS_NOT_ANSWERED:
        assert judgement.since >= facts.quiet_since
        assert judgement.due >= facts.quiet_since + 6.0
    asked_at = facts.model_asked_at
    owes_an_answer = judgement.standing is Standing.AGENT_OWES_AN_ANSWER
    if warned is None and owes_an_answer and asked_at is not None:
        assert judgement.due >= min(asked_at, judgement.since) + 6.0
        assert judgement.due >= judgement.since + 4.0
    else:
        assert judgement.due >= judgement.since + 6.0
    assert facts.answered
    assert not any((facts.gone, facts.held, facts.caller_speaks))
    assert (judgement.severity is Severity.LOST) == (warned is not None)


@given(any_facts(), times)
def test_nothing_is_lost_without_words_before_it(facts: Facts, at: float) -> None:
    assert judge(facts, LIMITS).severity is Severity.IMPAIRED
    judgement = judge(facts, LIMITS, Warned(at))
    if judgement.due != NEVER:
        assert judgement.due >= at + 15.0
        assert judgement.evidence


def test_the_documented_table_is_the_one_that_judges() -> None:
    documented = Path(__file__).parents[3] / "docs" / "silence.md"
    assert table() in documented.read_text()
    assert max(map(len, table().splitlines())) <= 80


def test_a_model_may_answer_nothing_twice_and_not_a_third_time() -> None:
    facts = facts_of(Standing.AGENT_ANSWERED_NOTHING)
    spoke_again = Warned(95.0, 96.0)
    second = dataclasses.replace(facts, nothings=2, outbound=False)
    assert judge(second, LIMITS, spoke_again).due == NEVER
    third = dataclasses.replace(second, nothings=3)
    assert judge(third, LIMITS, spoke_again).due < NEVER
    assert judge(dataclasses.replace(third, outbound=True), LIMITS, spoke_again).due == NEVER

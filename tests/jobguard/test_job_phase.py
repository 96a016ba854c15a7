from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.jobguard.job_phase import JobPhase, JobState

COMES_UP, RELEASES, ENDS = "comes up", "releases", "ends"
NO_HARM, RESCUED, RECOVERED, BREAKS = "no harm", "rescued", "recovered", "breaks"
"""What a cause leads to, whether it is looked into to its end or not."""

CAUSES = (NO_HARM, RESCUED, RECOVERED, BREAKS)


def happens(state: JobState, what: str, *, released: str = "") -> None:
    """What a job's parts do, in the order in which they do it."""
    match what:
        case "comes up":
            state.came_up()
        case "releases":
            state.release("a transfer of its own")
        case "ends":
            state.end()
        case _ if not state.over:
            state.cause_noticed()
            if released:
                state.release(released)
            if what == BREAKS:
                state.rescue_broke()
                return
            if what != NO_HARM:
                state.incident_opened()
            state.rescue_ended(recovered=what == RECOVERED)


def after(*events: str) -> JobState:
    state = JobState()
    for event in events:
        happens(state, event)
    return state


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ((), JobPhase.SETTING_UP),
        ((COMES_UP,), JobPhase.LIVE),
        ((NO_HARM,), JobPhase.SETTING_UP),
        ((COMES_UP, NO_HARM), JobPhase.LIVE),
        ((COMES_UP, RESCUED), JobPhase.RESCUED),
        ((RECOVERED, COMES_UP), JobPhase.LIVE),
        ((COMES_UP, BREAKS), JobPhase.BROKEN),
        ((COMES_UP, BREAKS, NO_HARM), JobPhase.LIVE),
        ((BREAKS, RESCUED), JobPhase.RESCUED),
        ((BREAKS, RELEASES), JobPhase.RELEASED),
        ((COMES_UP, RELEASES, RESCUED), JobPhase.RELEASED),
        ((RESCUED, RELEASES), JobPhase.RESCUED),
        ((RESCUED, COMES_UP), JobPhase.RESCUED),
        ((RELEASES, ENDS), JobPhase.ENDED),
    ],
)
def test_what_happens_leads_to_a_phase(events: tuple[str, ...], phase: JobPhase) -> None:
    assert after(*events).phase is phase


@given(st.lists(st.sampled_from((COMES_UP, RELEASES, *CAUSES))))
def test_a_call_is_rescued_once_and_never_after_it_was_released(events: list[str]) -> None:
    state, rescued = JobState(), 0
    for event in events:
        was_over = state.over
        happens(state, event)
        if event in (RESCUED, RECOVERED) and not was_over:
            rescued += state.phase is JobPhase.RESCUED
        if was_over:
            assert state.over
    assert rescued <= 1
    assert state.over is bool(RELEASES in events or rescued)
    assert bool(state.why_over) is state.over


def test_who_releases_while_a_harmless_cause_is_looked_into_has_released() -> None:
    state = after(COMES_UP)
    happens(state, NO_HARM, released="the colleague has the call")
    assert state.phase is JobPhase.RELEASED
    assert state.why_over == "The agent has released the call: the colleague has the call."


def test_a_rescue_that_is_under_way_is_seen_to_its_end_by_a_release() -> None:
    state = JobState()
    happens(state, RESCUED, released="too late")
    assert state.phase is JobPhase.RESCUED
    assert state.lost


def test_a_phase_that_may_not_follow_is_refused() -> None:
    with pytest.raises(RuntimeError, match="a job that is rescued cannot become looking"):
        after(RESCUED).cause_noticed()

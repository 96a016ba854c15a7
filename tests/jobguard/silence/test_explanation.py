"""What a judgement says of itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onhook.faults import Fault
from onhook.incident import Failure
from onhook.jobguard.silence.explanation import evidence, now_and_next
from onhook.jobguard.silence.standing import Facts, Limits, Warned, judge

LIMITS = Limits()


def told(facts: Facts, warned: Warned | None = None, limits: Limits = LIMITS) -> str:
    return now_and_next(judge(facts, limits, warned), limits, warned, ())


def test_a_healthy_silence_owes_nothing() -> None:
    assert "Next: nothing: no sound is owed" in told(Facts(now=90.0, heard_until=60.0))


def test_who_judges_no_silence_is_told_so() -> None:
    facts = Facts(now=90.0, answer_due_since=60.0)
    assert "Policy(dead_air=None)" in told(facts, limits=Limits(dead_air=None))


def test_a_state_that_never_ends_a_call_says_so() -> None:
    facts = Facts(now=90.0, nothing_since=60.0, outbound=True)
    assert "this state alone never ends a call" in told(facts, Warned(70.0))


def test_the_limit_that_is_over_first_is_named() -> None:
    facts = Facts(now=90.0, answer_due_since=60.0, quiet_since=80.0)
    for warned, limit in (
        (Warned(78.0, 80.0), "dead_air = 6 s, after the caller spoke again"),
        (Warned(70.0, 86.0), "give_up = 15 s after the words"),
    ):
        found = evidence(judge(facts, LIMITS, warned), LIMITS, warned, ())
        assert found["limit"] == limit
        words, again = (
            f"{90 - at:5.1f} s before" for at in (warned.at, warned.spoke_again_at or 0)
        )
        assert f"{words}: the caller was told to wait" in found["seen"]
        assert f"{again}: the caller ended another sentence" in found["seen"]


times = st.none() | st.floats(0, 1000)


@given(
    now=st.floats(0, 1000),
    since=st.lists(times, min_size=7, max_size=7),
    quiet=st.floats(0, 1000),
    warned=st.none() | st.builds(Warned, st.floats(0, 1000), times),
    flags=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_whatever_is_judged_can_be_told_and_kept(
    now: float, since: list[float | None], quiet: float, warned: Warned | None, flags: list[bool]
) -> None:
    facts = Facts(
        now=now,
        answered=flags[0],
        gone=flags[1],
        caller_speaks=flags[2],
        tools_told=flags[3],
        task_listens=flags[4],
        outbound=flags[5],
        quiet_since=quiet,
        broken_off_at=since[0],
        tools_since=since[1],
        answer_due_since=since[2],
        nothing_since=since[3],
        callback_since=since[4],
        unanswered_since=since[5],
        model_asked_at=since[6],
    )
    judgement = judge(facts, LIMITS, warned)
    before = [(now, judgement)] * 40
    found = evidence(judgement, LIMITS, warned, before)
    kept = Failure(Fault.LLM_STALLED, "x", now, evidence=found).evidence
    assert kept == found, "nothing is cut off"
    assert judgement.standing in now_and_next(judgement, LIMITS, warned, before)

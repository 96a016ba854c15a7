"""When a job is called hung: every moment is given, and nothing is waited for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.livekit.proof import Proof
from onhook.policy import Policy
from onhook.watchdog.daemon.liveness import BEAT, PROBE, TICK, Naps, Pulse, Verdict, judge, patience
from onhook.watchdog.protocol.job_policy import JobPolicy

ALIVE, SILENT, ABSENT, UNKNOWN = Proof.ALIVE, Proof.SILENT, Proof.ABSENT, Proof.UNKNOWN
LIMIT = patience(JobPolicy.of(Policy()), up=True)
SETUP = patience(JobPolicy.of(Policy()), up=False)


def pulse(*proofs: Proof) -> Pulse:
    return Pulse(0.0, list(proofs))


@pytest.mark.parametrize(
    ("proofs", "silent", "verdict"),
    [
        ([], 100.0, Verdict.UNSURE),
        ([SILENT], 3.0, Verdict.UNSURE),
        ([SILENT, SILENT], 2.5, Verdict.UNSURE),
        ([SILENT, SILENT], 3.0, Verdict.BLOCKED),
        ([SILENT, SILENT], LIMIT - 0.1, Verdict.BLOCKED),
        ([SILENT, SILENT], LIMIT, Verdict.HUNG),
        ([SILENT, UNKNOWN, SILENT], 3.5, Verdict.UNSURE),
        ([SILENT, UNKNOWN, SILENT, SILENT], 4.5, Verdict.BLOCKED),
        ([UNKNOWN] * 20, 100.0, Verdict.UNSURE),
        ([ABSENT] * 3, 4.0, Verdict.UNSURE),
        ([ABSENT] * 9, LIMIT, Verdict.HUNG),
        ([SILENT, SILENT, ALIVE], 50.0, Verdict.ALIVE),
    ],
)
def test_the_verdict(proofs: list[Proof], silent: float, verdict: Verdict) -> None:
    assert judge(pulse(*proofs), silent, limit=LIMIT) is verdict


def test_a_job_that_is_setting_up_in_its_room_may_load_its_models() -> None:
    job = pulse(SILENT, SILENT, SILENT)
    assert judge(job, 16.0, limit=SETUP, up=False) is Verdict.UNSURE
    assert judge(job, SETUP, limit=SETUP, up=False) is Verdict.HUNG


@given(st.lists(st.sampled_from(Proof), max_size=8), st.floats(0, 2.0 + BEAT))
def test_a_loop_that_is_blocked_for_two_seconds_is_not_called_blocked(
    proofs: list[Proof], silent: float
) -> None:
    assert judge(pulse(*proofs), silent, limit=LIMIT) in (Verdict.UNSURE, Verdict.ALIVE)


@given(st.lists(st.sampled_from(Proof), min_size=1, max_size=8), st.floats(0, 1000))
def test_no_job_that_has_answered_is_called_hung(proofs: list[Proof], silent: float) -> None:
    if ALIVE in proofs:
        assert judge(pulse(*proofs), silent, limit=LIMIT) is Verdict.ALIVE


def test_a_blocked_loop_is_found_within_its_bound() -> None:
    """The worst case: suspected a tick late, then two questions that are not answered."""
    job = pulse()
    now = 0.0
    while not job.suspect(now):
        now += TICK
    for _ in range(2):
        now += PROBE
        job.proofs.append(SILENT)
    now += TICK
    assert judge(job, now, limit=LIMIT) is Verdict.BLOCKED
    assert now <= 3.5, "and half a second is left for the words"


def test_a_beat_clears_what_was_held_against_a_job() -> None:
    job = pulse(SILENT, SILENT)
    job.beat(10.0)
    assert not job.proofs
    assert not job.suspect(11.0)
    assert job.silent_for(12.0) == 2.0


@pytest.mark.parametrize(
    ("setup", "limit"), [(20.0, 20.5), (None, 20.5), (1.0, 15.0), (30.0, 30.5)]
)
def test_a_job_that_is_setting_up_may_block_as_long_as_its_caller_may_wait(
    setup: float | None, limit: float
) -> None:
    assert patience(JobPolicy.of(Policy(setup=setup)), up=False) == limit


def test_a_limit_below_the_words_is_theirs() -> None:
    assert patience(JobPolicy.of(Policy(hang_limit=0.1)), up=True) == 2.9


def test_a_watchdog_that_was_stopped_itself_notices() -> None:
    naps = Naps(0.0)
    assert not naps.slept(TICK)
    assert not naps.slept(2 * TICK + 0.5)
    assert naps.slept(10.0)
    assert not naps.slept(10.0 + TICK)

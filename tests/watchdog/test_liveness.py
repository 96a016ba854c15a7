"""When a job is called hung: every moment is given, and nothing is waited for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.livekit.proof import Proof
from onhook.policy import Policy
from onhook.watchdog.daemon.liveness import BEAT, PROBE, TICK, Naps, Pulse, Verdict, judge, patience

ALIVE, SILENT, ABSENT, UNKNOWN = Proof.ALIVE, Proof.SILENT, Proof.ABSENT, Proof.UNKNOWN
WAITS = patience(Policy())


def pulse(*proofs: Proof) -> Pulse:
    return Pulse(0.0, list(proofs))


@pytest.mark.parametrize(
    ("proofs", "silent", "verdict"),
    [
        ([], 100.0, Verdict.UNSURE),
        ([SILENT], 3.0, Verdict.UNSURE),
        ([SILENT, SILENT], 2.5, Verdict.UNSURE),
        ([SILENT, SILENT], 3.0, Verdict.HUNG),
        ([SILENT, UNKNOWN, SILENT], 3.5, Verdict.UNSURE),
        ([SILENT, UNKNOWN, SILENT, SILENT], 4.5, Verdict.HUNG),
        ([UNKNOWN] * 20, 100.0, Verdict.UNSURE),
        ([ABSENT] * 3, 4.0, Verdict.UNSURE),
        ([ABSENT] * 9, WAITS, Verdict.HUNG),
        ([SILENT, SILENT, ALIVE], 50.0, Verdict.ALIVE),
    ],
)
def test_the_verdict(proofs: list[Proof], silent: float, verdict: Verdict) -> None:
    assert judge(pulse(*proofs), silent, waits=WAITS) is verdict


def test_a_job_that_is_setting_up_in_its_room_may_load_its_models() -> None:
    job = pulse(SILENT, SILENT, SILENT)
    assert judge(job, 6.0, waits=WAITS, up=False) is Verdict.UNSURE
    assert judge(job, WAITS, waits=WAITS, up=False) is Verdict.HUNG


@given(st.lists(st.sampled_from(Proof), max_size=8), st.floats(0, 2.0 + BEAT))
def test_a_loop_that_is_blocked_for_two_seconds_is_never_called_hung(
    proofs: list[Proof], silent: float
) -> None:
    assert judge(pulse(*proofs), silent, waits=WAITS) is not Verdict.HUNG


@given(st.lists(st.sampled_from(Proof), min_size=1, max_size=8), st.floats(0, 1000))
def test_no_job_that_has_answered_is_called_hung(proofs: list[Proof], silent: float) -> None:
    if ALIVE in proofs:
        assert judge(pulse(*proofs), silent, waits=WAITS) is Verdict.ALIVE


def test_a_hang_is_found_within_its_bound() -> None:
    """The worst case: suspected a tick late, then two questions that are not answered."""
    job = pulse()
    now = 0.0
    while not job.suspect(now):
        now += TICK
    for _ in range(2):
        now += PROBE
        job.proofs.append(SILENT)
    now += TICK
    assert judge(job, now, waits=WAITS) is Verdict.HUNG
    assert now <= 3.5, "and half a second is left for the words"


def test_a_beat_clears_what_was_held_against_a_job() -> None:
    job = pulse(SILENT, SILENT)
    job.beat(10.0)
    assert not job.proofs
    assert not job.suspect(11.0)
    assert job.silent_for(12.0) == 2.0


@pytest.mark.parametrize(
    ("first_audio", "waits"), [(8.0, 8.5), (None, 8.5), (1.0, 2.9), (30.0, 30.5)]
)
def test_a_job_that_is_setting_up_may_block_as_long_as_its_caller_may_wait(
    first_audio: float | None, waits: float
) -> None:
    assert patience(Policy(first_audio=first_audio)) == waits


def test_a_watchdog_that_was_stopped_itself_notices() -> None:
    naps = Naps(0.0)
    assert not naps.slept(TICK)
    assert not naps.slept(2 * TICK + 0.5)
    assert naps.slept(10.0)
    assert not naps.slept(10.0 + TICK)

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.bench.phone import Frame, Hearing, PhoneError, Threshold, hear
from onhook.bench.phone.sound_segments import FLOOR, Segmenter, level_of
from tests.bench.phone.tones import silence, tone

LOUD, QUIET, HUM = -20.0, FLOOR, -52.0


def frames(pattern: str, begin: float = 0.0) -> list[Frame]:
    """A 20 ms frame a letter: `#` loud, `.` silent, `~` between the thresholds, ` ` none."""
    levels = {"#": LOUD, ".": QUIET, "~": HUM}
    return [
        Frame(begin + 0.02 * index, 0.02, levels[letter])
        for index, letter in enumerate(pattern)
        if letter != " "
    ]


def kinds(hearing: Hearing) -> list[tuple[bool, float]]:
    return [(s.audible, round(s.seconds, 3)) for s in hearing.stretches]


def test_sound_between_two_silences() -> None:
    hearing = hear(frames("." * 20 + "#" * 50 + "." * 30), 0.0, 2.0)
    assert kinds(hearing) == [(False, 0.4), (True, 1.0), (False, 0.6)]
    assert hearing.stretches[1].level == pytest.approx(LOUD)
    assert hearing.stretches[0].level == FLOOR
    assert hearing.silent_seconds == pytest.approx(1.0)
    assert hearing.longest_silence() == pytest.approx(0.6)
    assert hearing.longest_silence(0.1, 1.5) == pytest.approx(0.3)


def test_nothing_at_all_is_one_silence() -> None:
    assert kinds(hear([], 5.0, 8.0)) == [(False, 3.0)]
    assert kinds(hear([], 5.0, 5.0)) == []
    assert hear([], 5.0, 5.0).silent_seconds == 0.0


def test_what_did_not_arrive_is_silence() -> None:
    hearing = hear(frames("#" * 20 + " " * 20 + "#" * 20), 0.0, 1.2)
    assert kinds(hearing) == [(True, 0.4), (False, 0.4), (True, 0.4)]


def test_the_pause_between_words_does_not_end_a_sound() -> None:
    assert kinds(hear(frames("#" * 10 + "." * 9 + "#" * 10), 0.0, 0.58)) == [(True, 0.58)]
    assert len(hear(frames("#" * 10 + "." * 11 + "#" * 10), 0.0, 0.62).stretches) == 3


def test_a_click_is_no_sound() -> None:
    assert kinds(hear(frames("." * 20 + "#" + "." * 20), 0.0, 0.82)) == [(False, 0.82)]
    assert len(hear(frames("." * 20 + "##" + "." * 20), 0.0, 0.84).sounds) == 1


def test_hysteresis() -> None:
    assert not hear(frames("~" * 50), 0.0, 1.0).sounds
    assert kinds(hear(frames("##" + "~" * 48), 0.0, 1.0)) == [(True, 1.0)]
    assert kinds(hear(frames("##" + " " * 20 + "~" * 28), 0.0, 1.0)) == [
        (True, 0.04),
        (False, 0.96),
    ]


def test_first_sound() -> None:
    hearing = hear(frames("." * 20 + "#" * 20 + "." * 20 + "#" * 20), 0.0, 1.6)
    assert hearing.first_sound() == pytest.approx(0.4)
    assert hearing.first_sound(0.5) == pytest.approx(0.5)
    assert hearing.first_sound(0.5, new=True) == pytest.approx(1.2)
    assert hearing.first_sound(1.3, new=True) is None
    assert hearing.first_sound(1.7) is None


def test_levels() -> None:
    assert level_of(tone(1.0, amplitude=32767)) == pytest.approx(-3.01, abs=0.02)
    assert level_of(silence(1.0)) == FLOOR
    assert level_of(np.zeros(0, np.int16)) == FLOOR


@pytest.mark.parametrize(
    "values", [(-60.0, -55.0), (1.0, -3.0), (-50.0, -55.0, -1.0), (-50.0, -55.0, 0.0, -0.2)]
)
def test_impossible_thresholds(values: tuple[float, ...]) -> None:
    with pytest.raises(PhoneError, match="give"):
        Threshold(*values)


def test_json() -> None:
    heard = hear(frames("#" * 50, 10.0), 10.0, 11.0).as_dict(zero=10.0)
    assert heard["stretches"] == [{"kind": "sound", "start": 0.0, "end": 1.0, "dbfs": -20.0}]


patterns = st.text("#.~ ", max_size=120)


@given(patterns, st.floats(0, 2), st.floats(0, 3))
def test_the_stretches_cover_the_time_and_take_turns(
    pattern: str, begin: float, seconds: float
) -> None:
    hearing = hear(frames(pattern), begin, begin + seconds)
    edges = [(s.start, s.end) for s in hearing.stretches]
    if edges:
        assert edges[0][0] == begin
        assert edges[-1][1] == begin + seconds
    assert all(first[1] == then[0] for first, then in itertools.pairwise(edges))
    assert all(
        one.audible is not other.audible
        for one, other in zip(hearing.stretches, hearing.stretches[1:], strict=False)
    )
    whole = hearing.silent_seconds + sum(s.seconds for s in hearing.sounds)
    assert whole == pytest.approx(seconds)
    assert 0 <= hearing.longest_silence() <= seconds + 1e-9
    assert all(FLOOR <= s.level <= 0 for s in hearing.stretches)


@given(patterns)
def test_every_long_run_of_loud_frames_is_heard_and_every_long_gap_is_silence(pattern: str) -> None:
    sounds = hear(frames(pattern), 0.0, 0.02 * len(pattern) + 1).sounds
    for index in range(len(pattern)):
        middle = 0.02 * index + 0.01
        inside = any(s.start < middle < s.end for s in sounds)
        if pattern[index : index + 2] == "##":
            assert inside
        if pattern[max(0, index - 10) : index + 11].strip(" .") == "":
            assert not inside


@given(patterns)
def test_listening_along_finds_the_same_as_listening_afterwards(pattern: str) -> None:
    segmenter = Segmenter()
    known: list[tuple[float, float]] = []
    for frame in frames(pattern):
        segmenter.push(frame)
        now = segmenter.sounds()
        assert [start for start, _ in now[: len(known)]] == [start for start, _ in known]
        known = now
    final = hear(frames(pattern), 0.0, 0.02 * len(pattern) + 1).sounds
    assert [(s.start, s.end) for s in final] == known

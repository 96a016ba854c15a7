"""Where the parts of a timeline stand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.sentinel.web.heard import Heard, Sound
from onhook.sentinel.web.timeline_picture import picture


def parts(start: float, *lengths: float) -> list[Heard]:
    found, at = [], start
    for length in lengths:
        found.append(Heard(Sound.SILENCE, at, at + length))
        at += length
    return found


def test_parts_are_as_wide_as_they_are_long() -> None:
    drawn = picture(parts(-5, 5, 5))
    assert drawn is not None
    assert [bar.width for bar in drawn.bars] == [50, 50]
    assert drawn.judged == 50
    assert [mark.text for mark in drawn.marks][:2] == ["\N{MINUS SIGN}4 s", "\N{MINUS SIGN}2 s"]


def test_no_parts_are_no_picture() -> None:
    assert picture([]) is None


@given(st.floats(-1e4, 0), st.lists(st.floats(0.05, 1e5), min_size=1, max_size=30))
def test_every_part_is_seen_and_nothing_stands_outside(start: float, lengths: list[float]) -> None:
    drawn = picture(parts(start, *lengths))
    assert drawn is not None
    assert all(bar.width >= 0.59 for bar in drawn.bars)
    for one, after in pairwise(drawn.bars):
        assert after.x == pytest.approx(one.x + one.width, abs=0.05)
    assert drawn.bars[-1].x + drawn.bars[-1].width == pytest.approx(100, abs=0.1)
    assert len(drawn.marks) <= 32
    assert all(-0.01 <= mark.x <= 100.01 for mark in drawn.marks)

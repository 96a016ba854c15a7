from __future__ import annotations

import pytest

from onhook.sentinel.metrics.label_values import LabelValues


def test_the_first_ones_stay_and_all_others_are_one() -> None:
    values = LabelValues(most=2)
    assert [values(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]


@pytest.mark.parametrize(
    ("value", "label"), [("", "unknown"), ("a" * 65, "other"), ("a\nb", "other"), ("é", "é")]
)
def test_what_is_no_name_is_no_label(value: str, label: str) -> None:
    assert LabelValues()(value) == label

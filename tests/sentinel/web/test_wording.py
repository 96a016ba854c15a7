"""How texts, times and lengths are written."""

from __future__ import annotations

import pytest

from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.web.wording import Words, duration, moment, printable, short_duration
from tests.sentinel.web.served_page import HEBREW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (-3, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1:00 min"), (3725, "1:02:05 h")],
)
def test_a_length_reads_as_a_person_says_it(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.7, "0.7 s"), (9.94, "9.9 s"), (10.4, "10 s"), (75, "1:15 min")],
)
def test_tenths_are_told_of_what_is_short(seconds: float, text: str) -> None:
    assert short_duration(seconds) == text


def test_nothing_hides_or_turns_the_words_beside_it() -> None:
    assert printable("a\u202eb\u0000c\u200bd") == "a\\u202eb\\x00c\\u200bd"
    assert printable(HEBREW) == HEBREW


def test_numbers_are_masked_in_names_and_texts_unless_they_are_allowed() -> None:
    words = Words()
    assert words.number("+49301234567") == "+49*******67"
    assert "1234567" not in words.name("call_+49301234567_x")
    assert "1234567" not in words.text("Error: +49301234567\nmore")
    assert Words(NumberMask(whole=True)).number("+49301234567") == "+49301234567"


def test_a_name_in_a_list_has_one_line_and_a_bound() -> None:
    assert Words().name("one\ntwo") == "one two"
    assert len(Words().label("x" * 500)) == 80


def test_a_time_of_today_is_its_clock_and_utc_is_in_its_title() -> None:
    now = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
    assert moment(now, now).utc == "2023-11-14 22:13:20 UTC"
    assert moment(now, now).machine == "2023-11-14T22:13:20Z"
    assert len(moment(now, now).text) == len("22:13:20")
    assert moment(now - 3 * 86_400, now).text.startswith("2023-11-1")

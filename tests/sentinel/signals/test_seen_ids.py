from __future__ import annotations

from onhook.sentinel.signals.seen_ids import SeenIds


def test_an_id_is_known_for_as_long_as_it_is_kept() -> None:
    seen = SeenIds(keep=10, most=100)
    assert seen.add("a", 0) is None
    assert seen.add("a", 10) == 0
    assert seen.add("a", 11) is None  # and counts anew
    assert seen.add("a", 20) == 11


def test_the_oldest_go_where_there_are_too_many() -> None:
    seen = SeenIds(keep=1000, most=3)
    for number in range(1000):
        assert seen.add(str(number), number) is None
        assert len(seen) <= 3
    assert seen.add("998", 1000) == 998


def test_what_is_forgotten_is_new_again() -> None:
    seen = SeenIds(keep=10, most=3)
    seen.add("a", 0)
    seen.forget("a")
    seen.forget("b")
    assert seen.add("a", 1) is None


def test_a_clock_that_is_set_back_keeps_nothing_for_ever() -> None:
    seen = SeenIds(keep=10, most=3)
    seen.add("a", 5000)
    assert seen.add("a", 100) is None
    assert len(seen) == 1

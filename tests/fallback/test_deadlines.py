from __future__ import annotations

from typing import Any

import pytest

from onhook import Deadlines, PolicyError
from onhook.fallback.deadlines import Turn, chosen

ALL = {"stt": 2, "llm": 2, "tts": 2}


def test_the_defaults_fit_the_default_policy() -> None:
    deadlines, budget = chosen(ALL, 6.0)
    assert budget == pytest.approx(4.8)
    assert (deadlines.stt, deadlines.tts) == (1.5, 1.5)
    assert deadlines.llm == pytest.approx(2.4)
    assert chosen(ALL, 6.0, deadlines=deadlines)[0] == deadlines


@pytest.mark.parametrize("dead_air", [0.5, 2.0, 6.0, 20.0])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_whatever_is_chosen_fits(dead_air: float, count: int) -> None:
    counts = dict.fromkeys(ALL, count)
    deadlines, budget = chosen(counts, dead_air)
    assert budget < dead_air
    for kind in ALL:
        assert 0 < count * getattr(deadlines, kind) <= budget + 1e-9
    assert deadlines.between <= budget


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"dead_air": 0.0}, "dead_air"),
        ({"dead_air": None}, "dead_air"),
        ({"dead_air": 6.0, "budget": 6.0}, r"budget=6\) is not below dead_air=6"),
        ({"dead_air": 6.0, "budget": -1.0}, "budget"),
        ({"dead_air": 6.0, "deadlines": Deadlines(llm=3.0)}, r"2 x Deadlines\(llm=3\) is 6 s"),
        ({"dead_air": 2.0, "deadlines": Deadlines(stt=0.5, llm=0.5, tts=0.5)}, "between=2"),
    ],
)
def test_what_cannot_fit_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        chosen(ALL, **settings)


@pytest.mark.parametrize("name", ["stt", "llm", "tts", "between"])
def test_deadlines_are_seconds(name: str) -> None:
    with pytest.raises(PolicyError, match=name):
        Deadlines(**{name: 0.0})


def test_a_turn_counts_time_once() -> None:
    turn = Turn(budget=4.0, memory=6.0)
    turn.lose(10.0, 11.5)
    turn.lose(10.5, 12.0)
    turn.lose(12.5, 13.0)
    assert turn.left(13.0) == pytest.approx(1.5)


def test_a_turn_never_has_less_than_nothing() -> None:
    turn = Turn(budget=1.0, memory=6.0)
    turn.lose(0.0, 5.0)
    assert turn.left(5.0) == 0.0


def test_what_an_earlier_turn_lost_is_forgotten() -> None:
    turn = Turn(budget=4.0, memory=6.0)
    turn.lose(0.0, 3.0)
    assert turn.left(8.9) == 1.0
    assert turn.left(9.1) == 4.0
    turn.lose(10.0, 12.0)
    turn.begins()
    assert turn.left(12.0) == 4.0

"""What the demonstration makes of a call, and what it prints."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from onhook.bench.demo.demo_result import DemoResult, Heard
from onhook.bench.demo.demo_table import show
from onhook.bench.phone.codec import RATE, Samples
from onhook.bench.phone.packet_timeline import Ear
from tests.bench.phone.tones import tone

ANSWERED, FAULT = 100.5, 103.5


def story(*, words_at: float | None, ended_at: float, hung_up: bool) -> DemoResult:
    """Return a call: a greeting of 1 s, then silence, then perhaps words of 2 s."""
    samples: Samples = np.zeros(round((ended_at - ANSWERED) * RATE), np.int16)
    for begin, seconds in ((ANSWERED, 1.0), *([(words_at, 2.0)] if words_at else [])):
        first = round((begin - ANSWERED) * RATE)
        samples[first : first + round(seconds * RATE)] = tone(seconds)
    ear = Ear()
    for first in range(0, len(samples), 160):
        ear.push(ANSWERED + first / RATE, samples[first : first + 160])
    hearing = ear.hearing(ANSWERED, ended_at)
    return DemoResult(
        "onhook", Heard(100.0, ANSWERED, ended_at, hung_up, hearing, samples), FAULT, "a note"
    )


def test_a_rescued_call() -> None:
    told = story(words_at=103.8, ended_at=106.0, hung_up=False)
    assert told.answered_after == pytest.approx(0.5)
    assert told.fails_after == pytest.approx(3.0)
    assert told.rescue_after == pytest.approx(0.3, abs=0.05)
    assert told.released_after == pytest.approx(2.5)
    assert told.silence == pytest.approx(0.5, abs=0.1)


def test_a_call_that_nobody_rescued() -> None:
    told = story(words_at=None, ended_at=113.5, hung_up=True)
    assert told.rescue_after is None
    assert told.released_after is None
    assert told.silence == pytest.approx(10.0, abs=0.1)


def test_what_is_printed_fits_80_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    stories = [
        story(words_at=103.8, ended_at=106.0, hung_up=False),
        story(words_at=None, ended_at=113.5, hung_up=True),
    ]
    show(console, stories, real=False)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    text = "\n".join(lines)
    for words in ("no phone", "never", "2.50 s", "▏released", "✗ caller gives up", "a note"):
        assert words in text
    drawn = [line for line in lines if line[:1] in tuple("▁▂▃▄▅▆▇█")]
    assert len(drawn) == 2, "each call has its picture, which begins with the greeting"

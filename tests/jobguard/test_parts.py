"""The small pure parts of a watched conversation: deafness, patience, diagnose."""

from __future__ import annotations

from typing import Any

import pytest

from onhook.faults import Fault, Severity
from onhook.jobguard.silence.deafness import Deafness
from onhook.jobguard.silence.diagnosis import Turn, diagnose
from onhook.jobguard.silence.silence_limits import Silence, SilenceLimits
from onhook.policy import Policy

NEVER = float("inf")


def hears(deafness: Deafness, *spoken: tuple[float, float], into_the_agent: bool = False) -> None:
    for began, ended in spoken:
        deafness.caller_speaks(began, into_the_agent=into_the_agent)
        deafness.caller_is_quiet(ended)


@pytest.mark.parametrize(
    ("spoken", "suspected", "certain"),
    [
        ([(0.0, 0.5)], False, False),
        ([(0.0, 0.8), (2.0, 2.8)], True, False),
        ([(0.0, 2.0)], True, False),
        ([(0.0, 9.0)], True, False),
        ([(0.0, 2.0), (4.0, 6.0)], True, True),
    ],
)
def test_a_cough_is_no_deafness_and_two_long_sentences_are(
    spoken: list[tuple[float, float]], suspected: bool, certain: bool
) -> None:
    deafness = Deafness()
    hears(deafness, *spoken)
    assert (deafness.suspected, deafness.certain) == (suspected, certain)
    assert deafness.since == spoken[-1][1]


def test_an_error_of_the_recognition_makes_it_certain() -> None:
    deafness = Deafness()
    deafness.recognition_failed()
    assert not deafness.certain, "the caller has said nothing yet"
    hears(deafness, (0.0, 2.0))
    assert deafness.certain


def test_a_transcript_forgives_an_error_of_the_recognition() -> None:
    deafness = Deafness()
    deafness.recognition_failed()
    hears(deafness, (0.0, 2.0))
    deafness.understood()
    assert (deafness.suspected, deafness.since) == (False, None)
    hears(deafness, (5.0, 7.0))
    assert not deafness.certain


def test_words_into_the_agents_own_do_not_count() -> None:
    deafness = Deafness()
    hears(deafness, (0.0, 9.0), (10.0, 19.0), into_the_agent=True)
    deafness.caller_is_quiet(20.0)
    assert not deafness.suspected


def patience_of(**settings: Any) -> SilenceLimits:
    return SilenceLimits(Policy(**{"dead_air": 6.0, "tool_limit": 30.0, **settings}))


def test_a_turn_is_warned_at_dead_air_and_lost_as_long_after() -> None:
    patience, silence = patience_of(), Silence(10.0)
    assert patience.until(silence) == 16.0
    assert patience.exhausted(silence, patience.until(silence)) is Severity.IMPAIRED
    assert patience.until(silence) == 22.0
    assert patience.until(Silence(30.0)) == 36.0, "the next turn gets no second warning"
    assert patience.exhausted(silence, patience.until(silence)) is Severity.LOST
    patience.heard()
    assert patience.exhausted(silence, patience.until(silence)) is Severity.IMPAIRED


def test_a_tool_has_its_own_limit_and_all_of_it_only_where_the_caller_was_told() -> None:
    patience = patience_of()
    told, untold = Silence(0.0, tools=True, told=True), Silence(0.0, tools=True)
    assert patience.until(told) == 30.0
    assert patience.until(untold) == 6.0
    patience.exhausted(untold, patience.until(untold))
    assert patience.until(untold) == 30.0
    assert patience.until(told) == 60.0
    assert patience_of(tool_limit=2.0).until(told) == 6.0, "never less than dead air"


def test_noise_alone_is_warned_of_and_never_ends_a_call() -> None:
    patience, noise = patience_of(), Silence(0.0, "deaf", certain=False)
    assert patience.until(noise) == 6.0
    patience.exhausted(noise, patience.until(noise))
    assert patience.until(noise) == NEVER
    assert patience.until(Silence(0.0, "deaf")) == 12.0


def test_a_hold_moves_the_end_of_patience_and_the_longest_counts() -> None:
    patience, silence = patience_of(), Silence(0.0)
    patience.hold("a", 50.0)
    patience.hold("b", 40.0)
    assert patience.until(silence) == 50.0
    patience.let_go("a")
    patience.let_go("a")
    assert patience.until(silence) == 40.0
    patience.let_go("b")
    assert patience.until(silence) == 6.0


def test_without_dead_air_patience_is_endless() -> None:
    assert patience_of(dead_air=None).until(Silence(0.0)) == NEVER


@pytest.mark.parametrize(
    ("silence", "turn", "fault", "why"),
    [
        (Silence(0.0, "deaf"), Turn("thinking", ("book",)), Fault.STT_DEAF, "no transcript"),
        (Silence(0.0), Turn("thinking", ("book", "pay")), Fault.TURN_STUCK, "book, pay still runs"),
        (Silence(0.0, "entry"), Turn("x", callbacks=("on_enter",)), Fault.TURN_STUCK, "on_enter"),
        (Silence(0.0), Turn("x", raised="on_enter raised X"), Fault.TURN_STUCK, "on_enter raised"),
        (Silence(0.0), Turn("speaking", cut_short=True), Fault.TTS_STALLED, "in the middle"),
        (Silence(0.0), Turn("x", answered=True, at_work=True), Fault.TTS_STALLED, "does not come"),
        (
            Silence(0.0),
            Turn("x", answered=True, at_work=True, sent=True),
            Fault.TTS_MUTE,
            "no sound",
        ),
        (Silence(0.0), Turn("listening", answered=True), Fault.TTS_MUTE, "no sound"),
        (Silence(0.0), Turn("speaking"), Fault.TTS_MUTE, "no sound"),
        (Silence(0.0), Turn("thinking", thought=True), Fault.LLM_STALLED, "still thinking"),
        (Silence(0.0), Turn("listening", thought=True), Fault.LLM_EMPTY, "answered nothing"),
        (Silence(0.0), Turn("listening"), Fault.TURN_STUCK, "'listening'"),
    ],
)
def test_a_silence_is_blamed_on_what_is_known_of_the_turn(
    silence: Silence, turn: Turn, fault: Fault, why: str
) -> None:
    named, words = diagnose(silence, turn)
    assert named is fault
    assert why in words

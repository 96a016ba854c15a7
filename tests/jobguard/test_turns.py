from __future__ import annotations

import pytest

from onhook.jobguard.silence.turns import Turns


@pytest.fixture
def turns() -> Turns:
    return Turns()


def asks(turns: Turns, *, until: float, understood: float) -> None:
    turns.caller_speaks(until - 1)
    turns.caller_is_quiet(until)
    turns.caller_asked(understood)


def test_a_caller_who_says_nothing_waits_for_nobody(turns: Turns) -> None:
    assert turns.silent_since is None
    turns.agent_sends(1.0, 2.0, audible=True)
    turns.agent_is_done()
    assert turns.silent_since is None


def test_noise_that_was_not_understood_asks_for_no_answer(turns: Turns) -> None:
    turns.caller_speaks(1.0)
    turns.caller_is_quiet(2.0)
    assert turns.silent_since is None


def test_silence_counts_from_the_end_of_the_callers_words(turns: Turns) -> None:
    asks(turns, until=10.0, understood=10.7)
    assert turns.silent_since == 10.0


def test_it_counts_from_the_transcript_where_no_voice_activity_is_known(turns: Turns) -> None:
    turns.caller_asked(10.7)
    assert turns.silent_since == 10.7


def test_nobody_waits_while_the_caller_speaks(turns: Turns) -> None:
    asks(turns, until=10.0, understood=10.7)
    turns.caller_speaks(12.0)
    assert turns.silent_since is None
    turns.caller_is_quiet(13.0)
    assert turns.silent_since == 13.0


def test_an_answer_that_is_heard_ends_the_wait(turns: Turns) -> None:
    asks(turns, until=10.0, understood=10.7)
    turns.agent_sends(11.0, 0.5, audible=True)
    turns.agent_is_done()
    assert turns.silent_since is None


def test_zeros_are_no_answer(turns: Turns) -> None:
    asks(turns, until=10.0, understood=10.7)
    turns.agent_sends(11.0, 3.0, audible=False)
    turns.agent_is_done()
    assert turns.silent_since == 10.0


def test_audio_that_stops_in_the_middle_is_silence_once_it_is_played(turns: Turns) -> None:
    turns.agent_sends(1.0, 0.5, audible=True)
    turns.agent_sends(1.0, 0.5, audible=True)
    turns.agent_sends(1.0, 0.2, audible=False)
    assert turns.silent_since == 2.0, "the trailing zeros are not heard"


def test_a_pause_in_playing_is_not_counted(turns: Turns) -> None:
    turns.agent_sends(1.0, 2.0, audible=True)
    turns.agent_pauses(2.0)
    assert turns.silent_since is None
    turns.agent_resumes(4.5)
    assert turns.silent_since == 5.5


def test_what_is_cut_off_is_not_waited_for(turns: Turns) -> None:
    turns.agent_sends(1.0, 60.0, audible=True)
    turns.agent_is_cut_off(2.0)
    assert turns.silent_since is None
    turns.caller_asked(3.0)
    assert turns.silent_since == 3.0


def test_a_question_put_into_the_agents_words_waits_until_they_are_over(turns: Turns) -> None:
    turns.agent_sends(1.0, 4.0, audible=True)
    turns.agent_is_done()
    asks(turns, until=2.0, understood=2.5)
    assert turns.silent_since == 5.0

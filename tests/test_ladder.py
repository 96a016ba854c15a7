from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.errors import LadderError, PolicyError
from onhook.ladder import Ladder
from onhook.rungs import (
    DeleteRoom,
    HandOver,
    HangUp,
    Keep,
    Redispatch,
    RemoveCallers,
    Retry,
    Rung,
    Say,
    Transfer,
)

seconds = st.floats(min_value=0.001, max_value=1e6)
words = st.text(min_size=1).filter(str.strip)
says = st.builds(
    Say,
    words,
    audio=st.none() | st.just("sorry.wav"),
    tts_deadline=seconds,
    start_deadline=seconds,
    deadline=seconds,
)
times = st.integers(min_value=1, max_value=9)
moves: st.SearchStrategy[Rung] = st.one_of(
    st.builds(
        Transfer,
        st.sampled_from(["tel:+15550123", "sip:desk@example.com", "sips:desk@example.com:5061"]),
        headers=st.dictionaries(st.sampled_from(["X-Case", "Subject"]), st.just("42")),
        play_dialtone=st.booleans(),
        deadline=seconds,
    ),
    st.builds(Redispatch, words, attempts=times, metadata=st.none() | st.text(), deadline=seconds),
    st.builds(Retry, attempts=times, backoff=seconds, deadline=seconds),
    st.builds(HandOver, st.none() | words, deadline=seconds),
)
ends: st.SearchStrategy[Rung] = st.one_of(
    st.builds(HangUp, deadline=seconds),
    st.builds(DeleteRoom, deadline=seconds),
    st.builds(RemoveCallers, deadline=seconds),
    st.builds(Keep, st.text()),
)


@given(st.lists(says | moves, max_size=3), ends)
def test_a_ladder_comes_back_from_json_as_it_was(first: list[Rung], last: Rung) -> None:
    ladder = Ladder((*first, last))
    assert Ladder.from_json(ladder.to_json()) == ladder


@pytest.mark.parametrize("rungs", [5, None, "hang_up"])
def test_a_ladder_is_made_of_a_list(rungs: Any) -> None:
    with pytest.raises(LadderError, match="give a list of rungs"):
        Ladder(rungs)


@pytest.mark.parametrize("voice", [5, "nova", object()])
def test_what_cannot_speak_is_no_tts(voice: Any) -> None:
    with pytest.raises(PolicyError, match=r"Say\(tts=.*give a livekit-agents TTS"):
        Say(tts=voice)


def test_a_tts_stays_behind_and_its_words_travel() -> None:
    ladder = Ladder((Say("Sorry.", tts=lambda: None), HangUp()))
    assert Ladder.from_json(ladder.to_json()) == Ladder((Say("Sorry."), HangUp()))


def test_a_ladder_without_an_end_can_be_given_one() -> None:
    assert Ladder((Say(),)).rungs == (Say(),)
    assert Ladder.of([Say()]).ended_by(HangUp()).rungs == (Say(), HangUp())
    assert Ladder.of([Say(), Keep()]).ended_by(HangUp()).rungs == (Say(), Keep())


def of(*rungs: dict[str, Any], version: object = 1) -> str:
    return json.dumps({"version": version, "rungs": list(rungs)})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        (None, r"is no JSON.*Ladder.to_json\(\)"),
        (5, "is no JSON"),
        ("[]", "must be"),
        (of(version=2), "version 2"),
        (of(version=True), "version True"),
        ('{"version": 1, "rungs": 3}', "no list"),
        (of(), "needs a rung"),
        (of({"rung": "hangup"}), "did you mean 'hang_up'"),
        (of({"rung": "explode"}), "known are delete_room, .*, say, transfer"),
        (of({"deadline": 1}), "rung 0"),
        (of({"rung": "say"}, {"rung": "hang_up", "speed": 1}), r"rung 1 \(hang_up\).*'speed'"),
        (of({"rung": "hang_up", "deadline": -1}), r"rung 0 \(hang_up\).*deadline=-1"),
        (of({"rung": "hang_up", "deadline": "soon"}), "deadline='soon'"),
        (of({"rung": "hang_up", "deadline": True}), "deadline=True"),
        (of({"rung": "say", "text": " "}), "text=' '"),
        (of({"rung": "say", "text": 7}), "text=7"),
        (of({"rung": "say", "audio": 7}), "audio=7"),
        (of({"rung": "say", "tts": "x"}), "no setting 'tts'"),
        (of({"rung": "keep", "reason": 1}), "reason=1"),
        (of({"rung": "transfer"}), r"rung 0 \(transfer\) lacks a setting: .*'to'"),
        (of({"rung": "transfer", "to": "+1555"}), r"to='\+1555'\): .*'tel:'"),
        (of({"rung": "transfer", "to": "tel:+1", "headers": ["X"]}), "headers="),
        (of({"rung": "redispatch", "agent_name": "a", "attempts": 0}), "attempts=0"),
        (of({"rung": "keep"}, {"rung": "say"}), "ends the ladder"),
        ('{"version":1,"rungs":[{"rung":"hang_up","deadline":NaN}]}', "NaN"),
        ('{"version":1,"rungs":[{"rung":"hang_up","deadline":1e999}]}', "deadline=inf"),
        ('{"version":1,"rungs":[{"rung":"keep","rung":"say"}]}', "given twice"),
    ],
)
def test_what_is_no_ladder_is_named(text: Any, says: str) -> None:
    with pytest.raises(LadderError, match=says):
        Ladder.from_json(text)


@pytest.mark.parametrize(
    ("rungs", "says"),
    [
        ([], "needs a rung"),
        ([HangUp], r"write HangUp\(\)"),
        (["hang_up"], "which is no rung"),
        ([HangUp(), Say()], "Put it last"),
        (7, "is no ladder"),
    ],
)
def test_what_is_no_rung_is_refused(rungs: Any, says: str) -> None:
    with pytest.raises(LadderError, match=says):
        Ladder.of(rungs)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1", None, True])
def test_a_deadline_is_a_positive_number(value: Any) -> None:
    for make in (HangUp, DeleteRoom, RemoveCallers, Say):
        with pytest.raises(PolicyError, match=f"{make.__name__}\\(deadline="):
            make(deadline=value)

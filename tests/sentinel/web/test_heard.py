"""What the caller heard, from the entries of an incident."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from onhook.rescue.events import Ring
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.web.heard import Sound, heard
from onhook.sinks.journal import Entry, Opening, Step
from onhook.sinks.journal.case_file import Case

WALL = 1_700_000_000.0
Told = tuple[float, Step, str, str]


def case(
    *steps: Told, evidence: dict[str, str] | None = None, mode: str = "act", severity: str = "lost"
) -> Case:
    opening = Opening("call-1", evidence=evidence or {}, mode=mode, severity=severity)
    told = [(0.0, Step.OPENED, "entrypoint.raised", ""), *steps]
    return Case(
        [
            Entry(
                *("inc_1", step, 50.0 + at, subject, result, ""),
                wall=WALL + at,
                ring=Ring.GUARD,
                opening=opening if step is Step.OPENED else None,
            )
            for at, step, subject, result in told
        ]
    )


def sounds(told: Case, record: CallRecord | None = None, now: float = WALL + 60) -> list[object]:
    parts = heard(told, record, now)
    for one, after in pairwise(parts):
        assert one.end == pytest.approx(after.start, abs=0.06)
    return [(part.sound, round(part.start, 1), round(part.end, 1)) for part in parts]


RELEASED: tuple[Told, ...] = (
    (0.5, Step.INTENT, "say", ""),
    (3.0, Step.RUNG, "say", "done"),
    (3.0, Step.INTENT, "hang_up", ""),
    (3.2, Step.RUNG, "hang_up", "done"),
    (3.2, Step.CLOSED, "released", ""),
)


def test_words_and_the_release_after_a_crash() -> None:
    assert sounds(case(*RELEASED)) == [
        (Sound.SILENCE, 0.0, 0.5),
        (Sound.WORDS, 0.5, 3.0),
        (Sound.SILENCE, 3.0, 3.2),
    ]


def test_what_the_judgement_saw_stands_before_it() -> None:
    seen = "9.0 s before: the line was answered, or so\n  2.0 s before: the line became quiet"
    assert sounds(case(*RELEASED, evidence={"seen": seen}))[:2] == [
        (Sound.TALK, -9.0, -2.0),
        (Sound.SILENCE, -2.0, 0.5),
    ]


def test_a_line_that_rings_is_not_silent_and_words_answer_it() -> None:
    told = case(*RELEASED, evidence={"waiting": "8.5 s", "line": "rings"})
    assert sounds(told) == [
        (Sound.RINGING, -8.5, 0.5),
        (Sound.WORDS, 0.5, 3.0),
        (Sound.SILENCE, 3.0, 3.2),
    ]


def test_words_are_heard_from_when_they_are_played() -> None:
    told = case(*RELEASED, evidence={"waiting": "8.0 s", "line": "rings"})
    said = replace(told.entries[2], detail="said 'Sorry.' (built-in prompt, 1.9 s)")
    assert sounds(Case([*told.entries[:2], said, *told.entries[3:]]))[:2] == [
        (Sound.RINGING, -8.0, 1.1),
        (Sound.WORDS, 1.1, 3.0),
    ]


def test_words_that_failed_are_no_words() -> None:
    told = case(
        (0.5, Step.INTENT, "say", ""),
        (3.5, Step.RUNG, "say", "timed_out"),
        (3.5, Step.INTENT, "transfer", ""),
        (8.0, Step.RUNG, "transfer", "done"),
        (8.0, Step.CLOSED, "transferred", ""),
    )
    assert sounds(told) == [(Sound.SILENCE, 0.0, 3.5), (Sound.TRANSFER, 3.5, 8.0)]


def test_an_incident_without_an_end_goes_on_until_now() -> None:
    told = case((0.5, Step.INTENT, "say", ""), (3.0, Step.RUNG, "say", "done"))
    assert sounds(told, now=WALL + 20)[-1] == (Sound.SILENCE, 3.0, 20.0)


def test_after_a_recovery_they_talk_until_the_call_ends_by_its_record() -> None:
    told = case(
        (0.1, Step.INTENT, "say", ""),
        (1.5, Step.RUNG, "say", "done"),
        (2.0, Step.CLOSED, "recovered", ""),
        severity="impaired",
    )
    record = CallRecord(
        id="1", room="call-1", began_at=WALL - 30, answered_at=WALL - 20, ended_at=WALL + 12
    )
    assert sounds(told, record) == [
        (Sound.RINGING, -30.0, -20.0),
        (Sound.TALK, -20.0, 0.0),
        (Sound.SILENCE, 0.0, 0.1),
        (Sound.WORDS, 0.1, 1.5),
        (Sound.SILENCE, 1.5, 2.0),
        (Sound.TALK, 2.0, 12.0),
    ]


def test_of_an_incident_that_was_only_observed_nothing_is_claimed() -> None:
    told = case((0.0, Step.CLOSED, "observed", ""), mode="observe")
    assert sounds(told) == []


def test_the_clock_of_another_host_is_not_believed() -> None:
    told = case(*RELEASED)
    entries = [*told.entries[:-1], Entry("inc_1", Step.CLOSED, 9e6, "released", wall=WALL + 3.4)]
    assert sounds(Case(entries))[-1] == (Sound.SILENCE, 3.0, 3.4)

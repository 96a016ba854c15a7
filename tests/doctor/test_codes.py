from __future__ import annotations

import re
from pathlib import Path

from onhook.doctor.__main__ import document
from onhook.doctor.codes import GROUPS, KINDS
from onhook.doctor.findings import Group, Level, Report

ROOT = Path(__file__).parent.parent.parent


def test_the_document_is_what_the_table_prints() -> None:
    assert (ROOT / "docs" / "doctor.md").read_text() == document()
    written = re.findall(r"^\| `([a-z.-]+)` \|", document(), re.MULTILINE)
    assert written == list(KINDS)


def test_codes_are_stable_words_each_once() -> None:
    every = [kind.code for kinds in GROUPS.values() for kind in kinds]
    assert len(every) == len(set(every))
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", code) for code in every)
    assert set(GROUPS) == set(Group)


def test_each_kind_says_what_why_and_the_mend() -> None:
    for kind in KINDS.values():
        for text in (kind.title, kind.why, kind.mend):
            assert len(text) >= 15, kind.code
            assert not text.endswith("."), kind.code


def test_the_gravest_comes_first_and_nothing_twice() -> None:
    note, warning = KINDS["env.observes"], KINDS["env.unknown"]
    error = KINDS["env.missing"]
    told = [note.found("a", "a"), error.found("b", "b"), warning.found("c", "c")]
    report = Report.of([*told, *told], [])
    assert [found.level for found in report.findings] == list(Level)
    assert not report.sound
    assert Report.of([note.found("a", "a")], []).sound
    assert Report.of(told, [], ignored=["env.missing", "env.unknown"]).sound

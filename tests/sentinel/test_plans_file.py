"""The file of plans as it changes: the last that was right is in force."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from onhook.errors import PlansError
from onhook.sentinel.plans import Plans
from onhook.sentinel.plans_file import PlansFile, notes
from onhook.sentinel.plans_parser import parse

LONG_AGO = 1_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = LONG_AGO + 100

    def __call__(self) -> float:
        return self.now


class Editor:
    """Writes the file, at a time that is told to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()

    def save(self, text: str | bytes, at: float = LONG_AGO) -> None:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(self.path, (at, at))


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    editor = Editor(tmp_path / "plans.toml")
    editor.save("[default]\nabsent = 5")
    return editor


@pytest.fixture
def plans(editor: Editor) -> PlansFile:
    return PlansFile(editor.path, wall=editor.clock)


def test_a_change_is_taken(editor: Editor, plans: PlansFile) -> None:
    assert plans.plans.default.limits.absent == 5
    assert not plans.reload()
    editor.save("[default]\nabsent = 6", at=LONG_AGO + 1)
    assert plans.reload()
    assert plans.plans.default.limits.absent == 6
    assert not plans.reload()


def test_a_comment_is_no_change(editor: Editor, plans: PlansFile) -> None:
    editor.save("# five\n[default]\nabsent = 5.0", at=LONG_AGO + 1)
    assert not plans.reload()


@pytest.mark.parametrize("bad", ["[default]\nabsent = '6'", "[", b"\xff\xfe", "#" * 600_000])
def test_a_bad_file_leaves_the_old_plans_and_is_logged_once(
    bad: str | bytes, editor: Editor, plans: PlansFile, caplog: pytest.LogCaptureFixture
) -> None:
    editor.save(bad, at=LONG_AGO + 1)
    for _ in range(3):
        assert not plans.reload()
        editor.clock.now += 5
    assert plans.plans.default.limits.absent == 5
    assert str(editor.path) in plans.problem
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    editor.save("[default]\nabsent = 5", at=LONG_AGO + 2)
    assert not plans.reload(), "these were in force all the time"
    assert plans.problem == ""


def test_a_file_that_is_gone_for_a_while(
    editor: Editor, plans: PlansFile, caplog: pytest.LogCaptureFixture
) -> None:
    text = editor.path.read_text()
    assert not plans.reload()
    editor.path.unlink()
    assert not plans.reload()
    assert not plans.reload()
    assert "cannot be read: No such file" in plans.problem
    editor.save(text)
    assert not plans.reload()
    assert plans.problem == ""
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1


def test_a_file_that_is_just_being_written_is_left_until_it_is(
    editor: Editor, plans: PlansFile
) -> None:
    editor.save("[default]\nabsent = 6", at=editor.clock.now - 0.1)
    assert not plans.reload()
    editor.clock.now += 1
    assert plans.reload()


def test_a_second_change_within_the_same_tick_is_seen(editor: Editor, plans: PlansFile) -> None:
    at = editor.clock.now - 1
    editor.save("[default]\nabsent = 6", at=at)
    assert plans.reload()
    editor.save("[default]\nabsent = 7", at=at)
    assert plans.reload()
    assert plans.plans.default.limits.absent == 7


def test_a_time_that_lies_ahead_hides_nothing(editor: Editor, plans: PlansFile) -> None:
    editor.save("[default]\nabsent = 6", at=editor.clock.now + 1000)
    assert plans.reload()


def test_the_first_file_must_be_right(tmp_path: Path) -> None:
    with pytest.raises(PlansError, match="cannot be read: No such file"):
        PlansFile(tmp_path / "no.toml")
    with pytest.raises(PlansError, match="cannot be read: Is a directory"):
        PlansFile(tmp_path)
    (tmp_path / "bad.toml").write_text("\n\n[default]\nx = 1")
    with pytest.raises(PlansError, match=r"bad.toml:4: unknown key 'x'"):
        PlansFile(tmp_path / "bad.toml")
    (tmp_path / "bad.toml").write_bytes(b"# a\n# \xff")
    with pytest.raises(PlansError, match=r"bad.toml:2: this is no UTF-8"):
        PlansFile(tmp_path / "bad.toml")


def test_what_may_not_have_been_meant_is_said() -> None:
    assert notes(Plans()) == (
        "no plan has a fallback: in an outage callers hear an apology and no more",
    )
    text = """
        [default]
        fallback = "+15550123"
        [[plan]]
        match.tag = ["a", "b"]
        ladder = [{rung = "transfer", to = "tel:+15550123"}, {rung = "say"}]
    """
    (note,) = notes(parse(text, name="x", folder=Path()))
    assert note.startswith("tag a, b: nothing is said before the transfer")


def test_a_file_from_windows_is_read_and_its_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "plans.toml"
    path.write_bytes(b"\xef\xbb\xbf[default]\r\nabsent = 5\r\n")
    assert PlansFile(path).plans.default.limits.absent == 5
    path.write_bytes(b"\xef\xbb\xbf[default]\r\n\r\nabsent = '5'\r\n")
    with pytest.raises(PlansError, match=r"plans.toml:3: absent = '5'"):
        PlansFile(path)

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from onhook import settings
from onhook.doctor.host import Words, judge_places, judge_watchdog, judge_words
from onhook.doctor.plans import read_plans
from onhook.livekit.renderings import Renderings
from onhook.rungs.say import APOLOGY
from onhook.sinks.journal import SqliteJournal
from onhook.version import VERSION


def codes() -> list[str]:
    return [found.code for found in judge_places(settings.places())]


def test_a_new_host_is_sound_and_nothing_is_made(tmp_path: Path) -> None:
    assert codes() == []
    assert list(tmp_path.iterdir()) == []


def test_a_journal_in_use_is_sound(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with contextlib.closing(SqliteJournal(tmp_path / "state" / "incidents.db")) as journal:
        journal.incidents(1)
    assert codes() == []


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "incidents.db").write_text("this is no database at all" * 100)
    assert codes() == ["host.journal"]


def test_places_that_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("ONHOOK_JOURNAL", str(file / "incidents.db"))
    monkeypatch.setenv("ONHOOK_RUNTIME_DIR", str(file / "run"))
    assert codes() == ["host.journal", "host.runtime", "host.journal"]


def test_a_runtime_folder_of_everybody(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    assert codes() == ["host.runtime"]


@pytest.mark.parametrize(("free", "level"), [(100 << 20, "warning"), (1 << 20, "error")])
def test_a_disk_that_is_full(free: int, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = list(judge_places(settings.places()))
    assert {(each.code, str(each.level)) for each in found} == {("host.disk", level)}


def test_words_without_a_rendering(tmp_path: Path) -> None:
    said = [Words("Good evening.", "plans.toml"), Words(APOLOGY, "plans.toml")]
    found = list(judge_words(said, tmp_path, [APOLOGY]))
    assert [each.code for each in found] == ["host.words"]
    path = Renderings(tmp_path).path("Good evening.", "an engine")
    assert path is not None
    path.parent.mkdir(parents=True)
    path.touch()
    assert list(judge_words(said, tmp_path, [APOLOGY])) == []
    assert len(list(judge_words(said, None, [APOLOGY]))) == 1


def test_plans_with_mistakes_and_words(tmp_path: Path) -> None:
    path = tmp_path / "plans.toml"
    path.write_text('[default]\nfallback = "+15550123"\nabsnt = 3\n')
    found, words = read_plans(path, ())
    assert ([each.code for each in found], words) == (["plans.wrong"], ())
    path.write_text(
        '[default]\nladder = [{rung = "say", text = "One moment."}, '
        '{rung = "transfer", to = "tel:+15550123"}]\n'
    )
    found, words = read_plans(path, ())
    assert [each.text for each in words] == ["One moment."]
    path.write_text('[default]\nfallback = "+15550100"\n')
    found, _ = read_plans(path, ["+15550100"])
    assert [each.code for each in found] == ["plans.wrong"], "it leads back to a number of ours"
    found, _ = read_plans(tmp_path / "none.toml", ())
    assert [each.code for each in found] == ["plans.wrong"]


@pytest.mark.parametrize(
    ("status", "wrong", "how", "expected"),
    [
        (None, "", "", []),
        (None, "", "external", ["watchdog.none"]),
        (None, "", "off", ["watchdog.none"]),
        (None, "it did not answer", "", ["watchdog.silent"]),
        ({"version": VERSION, "unable": "", "limits": ""}, "", "external", []),
        ({"version": "0.0.1", "unable": "401", "limits": ""}, "", "", ["watchdog.unable"]),
        ({"version": VERSION, "limits": "no words"}, "", "", ["watchdog.limited"]),
        ({"version": "0.0.1"}, "", "", ["watchdog.version"]),
    ],
)
def test_the_watchdog(
    status: dict[str, str] | None, wrong: str, how: str, expected: list[str]
) -> None:
    found = judge_watchdog(status, wrong, how=how, server="ws://localhost:7880")
    codes = [each.code for each in found]
    assert codes[: len(expected)] == expected
    assert set(codes) <= {*expected, "watchdog.version"}

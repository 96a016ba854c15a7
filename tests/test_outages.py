"""The file of outages as sentinels and `onhook.dial` read it: whatever is wrong, calls go on."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from onhook.outages import Outage, OutageFile, explained, number_key, same_number

NOW = 1_700_000_000.0


def outage(scope: str = "all", value: str = "", **more: Any) -> dict[str, Any]:
    return {"scope": scope, "value": value, "since": NOW - 9, "until": NOW + 60, **more}


def written(path: Path, *outages: Any, version: int = 1, mode: int = 0o600) -> OutageFile:
    path.write_text(json.dumps({"version": version, "outages": outages}))
    path.chmod(mode)
    return OutageFile(path, wall=lambda: NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outages.json"


def test_without_a_file_nothing_is_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert OutageFile(path).for_call("+15550100", "ST_a") is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("scope", "value", "hit"),
    [
        ("all", "", True),
        ("number", "1 (555) 0100", True),
        ("number", "+15550101", False),
        ("trunk", "ST_a", True),
        ("trunk", "ST_b", False),
        ("tag", "night", True),
        ("tag", "day", False),
    ],
)
def test_for_which_calls_it_is_on(path: Path, scope: str, value: str, hit: bool) -> None:
    file = written(path, outage(scope, value))
    assert (file.for_call("+15550100", "ST_a", {"night"}) is not None) is hit


def test_of_several_the_most_specific_counts(path: Path) -> None:
    file = written(path, outage(), outage("trunk", "ST_a"), outage("number", "+15550100"))
    for number, trunk, scope in (
        ("+15550100", "ST_a", "number"),
        ("+15550101", "ST_a", "trunk"),
        ("+15550101", "ST_b", "all"),
    ):
        found = file.for_call(number, trunk)
        assert found is not None
        assert found.scope == scope


def test_it_ends_by_itself(path: Path) -> None:
    now = NOW
    written(path, outage(until=NOW + 1))
    file = OutageFile(path, wall=lambda: now)
    assert len(file.current()) == 1
    now += 1
    assert file.current() == ()


def test_a_change_is_seen_also_within_one_tick_of_the_clock(path: Path) -> None:
    file = written(path)
    os.utime(path, (NOW, NOW))
    assert file.current() == ()
    written(path, outage())
    os.utime(path, (NOW, NOW))
    assert len(file.current()) == 1
    path.unlink()
    assert file.current() == ()


def test_what_has_not_changed_is_not_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(path, outage())
    os.utime(path, (NOW - 60, NOW - 60))
    assert len(file.current()) == 1
    monkeypatch.setattr(os, "open", None)
    assert len(file.current()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 100_000,
        "\x00\xff",
        '{"version": 2, "outages": []}',
        '{"version": 1, "outages": 5}',
        '{"version": 1, "outages": [5]}',
        '{"version": 1, "outages": [{"scope": "all"}]}',
        json.dumps({"version": 1, "outages": [outage("every")]}),
        json.dumps({"version": 1, "outages": [outage("trunk", 5)]}),  # type: ignore[arg-type]
        json.dumps({"version": 1, "outages": [outage(since="x")]}),
        json.dumps({"version": 1, "outages": [outage(until=0.0)]}),
        json.dumps({"version": 1, "outages": [outage(more=1)]}),
        " " * 1_100_000,
    ],
)
def test_a_file_that_is_none_stops_no_call_and_is_told_once(
    text: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(text)
    path.chmod(0o600)
    file = OutageFile(path)
    for _ in range(3):
        assert file.for_call("+15550100", "ST_a") is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    written(path, outage())
    assert OutageFile(path, wall=lambda: NOW).for_call("", "ST_a") is not None


def test_neither_does_one_that_others_may_write(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert written(path, outage(), mode=0o620).current() == ()
    assert "chmod go-w" in caplog.text
    assert len(written(path, outage(), mode=0o644).current()) == 1


def test_nor_a_folder_or_a_pipe(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert OutageFile(path).current() == ()
    assert OutageFile(tmp_path).current() == ()
    assert OutageFile(path / "below").current() == ()


def test_without_a_place_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.settings.outages", lambda: None)
    assert OutageFile().current() == ()


def test_numbers() -> None:
    assert same_number("+1 (555) 0100", "0015550100")
    assert same_number("Support", "support")
    assert not same_number("", "")
    assert not same_number("15550100", "15550101")
    assert number_key("+1.555-0100") == "15550100"


def test_it_is_told_who_and_until_when() -> None:
    told = explained(Outage("trunk", "ST_a", NOW, NOW + 60, "eve@ops", "carrier down"))
    assert told.startswith("an outage of trunk ST_a is on until 2023-11-1")
    assert "by eve@ops (carrier down)" in told
    assert "`onhook sentinel outage off --trunk ST_a` ends it" in told
    assert "off --all`" in explained(Outage("all", "", NOW, NOW + 60))

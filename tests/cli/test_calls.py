from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onhook.cli import app
from onhook.sentinel.records.call_record import CallRecord, EndedBy
from onhook.sentinel.records.record_store import RecordStore
from tests.sentinel.records.test_record_store import DEAD, WELL

NAME = "a-name-of-an-agent-that-is-very-long \x1b[31m"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "calls.db"
    monkeypatch.setenv("ONHOOK_RECORDS", str(path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("ONHOOK_NUMBERS", raising=False)
    return path


def fill(path: Path) -> None:
    store = RecordStore(path)
    for n, record in enumerate((WELL, DEAD, replace(DEAD, agent=NAME, outcome=""))):
        ended = time.time() - 60 - n
        store.keep(
            replace(
                record,
                id=f"RM_{n}",
                began_at=ended - 65,
                answered_at=ended - 61,
                ended_at=ended,
                silent=4321.5 if n == 2 else record.silent,
            )
        )
    rang: CallRecord = replace(WELL, id="RM_r", answered_at=None, ended_by=EndedBy.CALLER)
    store.keep(replace(rang, began_at=time.time() - 3_000, ended_at=time.time() - 2_900))
    old = time.time() - 3 * 86_400
    store.keep(replace(WELL, id="RM_old", ended_at=old))
    store.close()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app(), ["sentinel", "calls", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_calls_and_their_sums_fit_into_80_columns(path: Path) -> None:
    fill(path)
    text = run()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "+15****01" in text
    assert "+15550101" not in text
    assert "job.died" in text
    assert "\x1b" not in text
    assert text.count("number, last") == 2
    assert "50.0%" in text


def test_by_agent_and_for_programs(path: Path) -> None:
    fill(path)
    told = json.loads(run("--json", "--by", "agent", "--since", "2h"))
    assert [call["id"] for call in told["calls"]] == ["RM_0", "RM_1", "RM_2", "RM_r"]
    assert told["calls"][1]["number"] == "+15****01"
    sales = next(row for row in told["sums"]["2h"] if row["agent"] == "sales")
    assert (sales["calls"], sales["silent_calls"], sales["rescued"]) == (3, 1, 1)
    assert {row["agent"]: row["calls"] for row in told["sums"]["30d"]}["sales"] == 4


def test_whole_numbers_where_they_are_allowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    monkeypatch.setenv("ONHOOK_NUMBERS", "whole")
    assert "+15550101" in run()


def test_without_any_call_it_says_so(path: Path) -> None:
    assert "no call has ended" in run()
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--since", "yesterday"], "give 30m, 2h or 1d"), (["--by", "moon"], "moon")],
)
def test_what_makes_no_sense_is_refused(path: Path, arguments: list[str], why: str) -> None:
    result = CliRunner().invoke(app(), ["sentinel", "calls", *arguments])
    assert result.exit_code == 2
    assert why in result.output

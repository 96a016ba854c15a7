from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from onhook.cli import app
from onhook.faults import Fault
from onhook.rescue.events import Ring
from onhook.sinks.journal import Entry, Opening, SqliteJournal, Step
from onhook.sinks.journal.incident_explanation import RULES

WALL = 1_790_000_000.0
WIDE_DETAIL = "the line was not released: " + "delete_room was refused, " * 12
OPENINGS = {
    "inc_aa0000000001": Opening("call-_+15550199_abc", "AJ_1", "SCL_1", "inbound", "lost", "Trace"),
    "inc_aa0000000002": Opening("\x1b[31mred[/red]", evidence={"signal": "SIGKILL", "room": "2"}),
}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "incidents.db")
    yield journal
    journal.close()


def fill(journal: SqliteJournal) -> None:
    one, two = OPENINGS
    told = [
        Entry(one, Step.OPENED, 5.0, "entrypoint.raised", "", "it broke", WALL),
        Entry(one, Step.INTENT, 5.1, "say", "", "", WALL),
        Entry(one, Step.RUNG, 9.5, "say", "done", "said 'sorry' (cache)", WALL),
        Entry(one, Step.CLOSED, 10.5, "released", "", "deleted the room", WALL),
        Entry(two, Step.OPENED, 20.0, "job.died", "", "killed", WALL + 60),
        Entry(two, Step.CLOSED, 21.0, "handed_outward", "", WIDE_DETAIL, WALL + 61, Ring.WATCHDOG),
    ]
    for entry in told:
        opening = OPENINGS[entry.incident] if entry.step is Step.OPENED else None
        journal.record(
            Entry(
                *(entry.incident, entry.step, entry.at, entry.subject, entry.result, entry.detail),
                wall=entry.wall,
                ring=entry.ring,
                opening=opening,
            )
        )


def run(journal: SqliteJournal, *arguments: str) -> Result:
    env = {"ONHOOK_JOURNAL": str(journal.path), "COLUMNS": "80", "TZ": "UTC"}
    return CliRunner().invoke(app(), ["incidents", *arguments], env=env)


def wide(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if len(line) > 80]


def test_the_list_has_the_newest_first_in_80_columns(journal: SqliteJournal) -> None:
    fill(journal)
    result = run(journal, "list")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["when", "incident", "fault", "ending", "room"]
    assert "job.died" in lines[1]
    assert "handed_outward" in lines[1]
    assert any("entrypoint.raised" in line and "released" in line for line in lines[2:])
    assert not wide(lines)
    assert "\x1b" not in result.stdout


def test_one_is_shown_whole(journal: SqliteJournal) -> None:
    fill(journal)
    result = run(journal, "show", "inc_aa0000000001")
    assert result.exit_code == 0, result.output
    for words in (
        *("it broke", "released after 5.50 s: deleted the room", "call-_+15550199_abc", "AJ_1"),
        *("SCL_1 (inbound)", "Trace", "said 'sorry' (cache)", "4.500 s"),
    ):
        assert words in result.stdout
    assert not wide(result.stdout.splitlines())


SEEN = " 12.0 s before: the agent's last sound ended\n  6.0 s before: an answer became due"


def observe(journal: SqliteJournal, incident: str, fault: str, severity: str, age: float) -> None:
    wall = time.time() - age
    evidence = {
        "rule": "agent owes an answer: a reply was begun, and none of it is heard",
        "limit": "dead_air = 6 s",
        "seen": SEEN,
        "framework": "the agent is still thinking",
    }
    opening = Opening("call-1", "AJ_1", severity=severity, evidence=evidence)
    detail = "the caller has heard nothing for 6.0 s"
    would = "in act mode this would have been done: say, " + "hang_up, " * 8
    journal.record(Entry(incident, Step.OPENED, 5.0, fault, "", detail, wall, opening=opening))
    journal.record(Entry(incident, Step.CLOSED, 5.0, "observed", "", would, wall))


def test_the_list_sums_up_what_was_only_observed_in_the_last_week(journal: SqliteJournal) -> None:
    fill(journal)
    assert "Only observed" not in run(journal, "list").stdout
    for number, fault in enumerate(("llm.stalled", "llm.stalled", "job.died")):
        observe(journal, f"inc_lost{number}", fault, "lost", age=600)
    observe(journal, "inc_soft", "llm.stalled", "impaired", age=600)
    observe(journal, "inc_old", "llm.stalled", "lost", age=8 * 86_400)
    journal.record(Entry("inc_lost0", Step.CLOSED, 9.0, "observed", "recovered", "heard again"))
    result = run(journal, "list", "--limit", "1")
    told = " ".join(result.stdout.split())
    assert (
        "Only observed: in 7 days 3 rescues would have been done: 2 llm.stalled, 1 job.died; "
        "1 phrase of soft words would have been said: 1 llm.stalled; "
        "in 1 of these calls the agent was heard again by itself." in told
    )
    assert "observed" in run(journal, "list").stdout
    assert not wide(result.stdout.splitlines())


def test_an_incident_is_explained_in_plain_sentences(journal: SqliteJournal) -> None:
    observe(journal, "inc_soft", "llm.stalled", "impaired", age=600)
    result = run(journal, "explain", "soft")
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    for words in (
        "llm.stalled: the guard judged that the turn failed",
        "the caller has heard nothing for 6.0 s",
        "seconds before the judgement 12.0 s the agent's last sound ended 6.0 s an answer became",
        "agent owes an answer: a reply was begun, and none of it is heard. The limit: dead_air",
        "0.0 s nothing, it was only observed: in act mode this would have been done: say, hang_up",
        "If that was too early Policy(dead_air=...)",
    ):
        assert words in told
    assert not wide(result.stdout.splitlines())


def test_a_rescue_is_explained_rung_by_rung(journal: SqliteJournal) -> None:
    fill(journal)
    told = " ".join(run(journal, "explain", "aa0000000001").stdout.split())
    assert "The rule An exception left the entrypoint while a caller was on the line." in told
    assert "4.5 s say done: said 'sorry' (cache) 5.5 s ended as released: deleted the room" in told
    told = run(journal, "explain", "aa0000000002").stdout
    assert "\x1b" not in told
    assert "the kernel closed its socket" in told
    assert "signal: SIGKILL" in told


def test_every_fault_has_its_rule() -> None:
    silence = {f for f in Fault if f.startswith(("llm.", "stt.", "tts.", "turn.", "realtime."))}
    assert set(Fault) - set(RULES) == {*silence, Fault.CALLER_UNHEARD, Fault.AUDIO_UNHEARD}


def test_what_a_stranger_chose_does_nothing_to_the_terminal(journal: SqliteJournal) -> None:
    fill(journal)
    result = run(journal, "show", "aa0000000002")
    assert "\\x1b[31mred[/red]" in result.stdout
    assert "\x1b" not in result.stdout
    assert "SIGKILL" in result.stdout
    assert "watchdog" in result.stdout
    assert not wide(result.stdout.splitlines())


def test_programs_get_json(journal: SqliteJournal) -> None:
    fill(journal)
    listed = json.loads(run(journal, "list", "--json", "--limit", "1").stdout)
    assert [(i["incident"], i["fault"], i["ending"]) for i in listed] == [
        ("inc_aa0000000002", "job.died", "handed_outward")
    ]
    whole = json.loads(run(journal, "show", "--json", "inc_aa0000000001").stdout)
    assert whole["opened_at"] == "2026-09-21T14:13:20.000+00:00"
    assert whole["traceback"] == "Trace"
    assert [step["after"] for step in whole["timeline"]] == pytest.approx([0, 0.1, 4.5, 5.5])


def test_an_incident_that_nobody_opened_or_closed_can_be_read(journal: SqliteJournal) -> None:
    journal.record(Entry("inc_b", Step.INTENT, 5.1, "say"))
    assert "not closed" in run(journal, "list").stdout
    assert "begins" in run(journal, "show", "b").stdout


def test_where_nothing_is_recorded_that_is_said(journal: SqliteJournal) -> None:
    assert "no incident is recorded yet: there is no file" in run(journal, "list").stdout
    assert json.loads(run(journal, "list", "--json").stdout) == []
    result = run(journal, "show", "inc")
    assert result.exit_code == 1
    assert "no incident is recorded yet" in result.stderr
    assert not journal.path.exists()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("inc_aa", "2 incidents begin with 'inc_aa' (inc_aa0000000002, inc_aa0000000001): give"),
        ("nothing", "no incident 'nothing' is in"),
        ("", "no incident '' is in"),
    ],
)
def test_which_one_must_be_clear(journal: SqliteJournal, wanted: str, words: str) -> None:
    fill(journal)
    result = run(journal, "show", wanted)
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_damaged_file_is_told_without_a_traceback(journal: SqliteJournal) -> None:
    journal.path.write_bytes(b"this is no database at all" * 100)
    for command in (["list"], ["list", "--follow"], ["show", "inc"]):
        result = run(journal, *command)
        assert result.exit_code == 1
        assert "damaged" in result.stderr
        assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("as_json", [False, True])
def test_it_can_be_followed_until_it_is_interrupted(journal: SqliteJournal, as_json: bool) -> None:
    command = [sys.executable, "-m", "onhook.cli", "incidents", "list", "--follow", "--limit", "1"]
    command += ["--journal", str(journal.path), *(["--json"] if as_json else [])]
    journal.record(Entry("inc_before", Step.INTENT, 0.0, "say"))
    journal.record(Entry("inc_1", Step.INTENT, 0.0, "say"))
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        journal.record(Entry("inc_1", Step.RUNG, 1.0, "say", "done", "said\nso"))
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == ""
    if as_json:
        assert json.loads(first)["step"] == "intent"
        assert json.loads(second)["detail"] == "said\nso"
    else:
        assert first.endswith("inc_1 guard intent say\n")
        assert second.endswith("inc_1 guard rung say done: said so\n")


def test_it_loads_nothing_of_a_call() -> None:
    """Who reads the journal in a bad night waits for neither LiveKit's packages nor the bench."""
    heavy = ("livekit", "aiohttp", "numpy", "google.protobuf", "onhook.bench", "onhook.watchdog")
    program = (
        "import sys\n"
        "from onhook.cli import main\n"
        "sys.argv = ['onhook', 'incidents', 'list', '--help']\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"

from __future__ import annotations

import errno
import json
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from onhook import settings
from onhook.errors import JournalError, PolicyError
from onhook.sinks.journal import Entry, Opening, SqliteJournal, Step
from onhook.sinks.journal.schema import JOURNAL
from tests.sinks.journal.contract import JournalContract, entry

DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "incidents.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(path)
    yield journal
    journal.close()


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    def journal(self, path: Path) -> Iterator[SqliteJournal]:
        journal = SqliteJournal(path)
        yield journal
        journal.close()


def numbers(path: Path, name: str, last: int) -> list[int]:
    """Return what is kept of a writer's numbers up to one."""
    reader = SqliteJournal(path)
    kept = [int(e.at) for n in range(last // 6 + 1) for e in reader.entries(f"{name}-{n}")]
    reader.close()
    return kept[: last + 1]


def writer(path: Path, name: str = "inc") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.sinks.journal.writer", str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str], last: int = -1, until: int | None = None) -> int:
    """Return the last number that a writer said it had recorded."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith("\n"):
            last = int(line)
        if last == until:
            break
    return last


def test_kill_9_loses_nothing_that_was_recorded(path: Path) -> None:
    for name in ("a", "b", "c"):
        with writer(path, name) as process:
            last = told(process, until=50)
            process.kill()
            last = told(process, last)
        assert numbers(path, name, last) == list(range(last + 1))


def test_several_processes_write_at_once(path: Path) -> None:
    writers = {name: writer(path, name) for name in ("a", "b", "c")}
    lasts = {name: told(process, until=30) for name, process in writers.items()}
    for name, process in writers.items():
        with process:
            process.kill()
            lasts[name] = told(process, lasts[name])
    for name, last in lasts.items():
        assert numbers(path, name, last) == list(range(last + 1))


def test_several_threads_share_one(journal: SqliteJournal) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: journal.record(entry(f"inc{n % 4}", at=float(n))), range(80)))
    assert sorted(e.at for n in range(4) for e in journal.entries(f"inc{n}")) == list(range(80))


def test_it_travels_by_its_settings_and_is_opened_late(path: Path) -> None:
    journal = SqliteJournal(path, keep=2)
    again = pickle.loads(pickle.dumps(journal))  # noqa: S301 - our own
    assert not path.exists()
    assert list(again.entries("inc")) == []
    assert not path.exists()
    for name in ("a", "b", "c"):
        again.record(entry(name))
    assert list(again.incidents()) == ["c", "b"]
    again.close()


def test_it_can_be_made_ready_in_another_thread(path: Path) -> None:
    journal = SqliteJournal(path)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(journal.prepare).result()
    assert path.exists()
    assert list(journal.incidents()) == []
    journal.record(entry("inc"))
    assert len(journal.entries("inc")) == 1
    journal.close()


def test_making_ready_forgets_nothing(path: Path) -> None:
    journal = SqliteJournal(path, keep=1)
    journal.record(entry("inc"))
    journal.prepare()
    journal.prepare()
    assert list(journal.incidents()) == ["inc"]
    assert len(journal.entries("inc")) == 1
    journal.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_opens_the_file_for_itself(journal: SqliteJournal) -> None:
    journal.record(entry("parent"))
    child = os.fork()
    if child == 0:
        try:
            journal.record(entry("child"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    journal.record(entry("parent"))
    assert list(journal.incidents()) == ["child", "parent"]


def test_the_file_is_its_owners_alone(journal: SqliteJournal, path: Path) -> None:
    journal.record(entry("inc"))
    files = list(path.parent.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    journal.close()
    path.chmod(0o644)
    journal.record(entry("inc"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_keeps_the_newest_incidents(path: Path) -> None:
    journal = SqliteJournal(path, keep=3)
    for number in range(10):
        journal.record(entry(f"inc{number}"))
        journal.record(entry(f"inc{number}"))
    assert list(journal.incidents()) == ["inc9", "inc8", "inc7"]
    assert list(journal.entries("inc6")) == []
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (6,)
    db.close()
    journal.close()


def test_what_is_too_old_goes_with_the_next_incident(path: Path) -> None:
    now = 100 * DAY
    journal = SqliteJournal(path, keep_days=10, wall=lambda: now)
    for day in (89, 91, 100):
        journal.record(Entry(f"day{day}", Step.OPENED, 0.0, "job.died", wall=day * DAY))
    assert list(journal.incidents()) == ["day100", "day91"]
    journal.close()


def test_secrets_are_masked_and_texts_are_bounded(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden-hidden")
    opening = Opening("room", traceback="key sk-hidden-hidden", evidence={"a": "sk-hidden-hidden"})
    detail = "sk-hidden-hidden " + "x" * 10_000
    journal.record(Entry("inc", Step.OPENED, 0.0, "job.died", "", detail, opening=opening))
    [kept] = journal.entries("inc")
    assert kept.opening is not None
    assert kept.opening.traceback == "key [OPENAI_API_KEY]"
    assert len(kept.detail) <= 4_000
    journal.close()
    assert b"hidden" not in path.read_bytes()


def test_what_is_no_utf_8_can_be_kept(journal: SqliteJournal) -> None:
    journal.record(Entry("inc", Step.RUNG, 0.0, "say", "failed", "\ud800 and \x00"))
    assert journal.entries("inc")[0].detail == "\\ud800 and \x00"


def test_an_incident_is_found_by_the_beginning_of_its_id(journal: SqliteJournal) -> None:
    for name in ("inc_aab", "inc_aac", "inc_b"):
        journal.record(entry(name))
    assert list(journal.matching("inc_b")) == list(journal.matching("b")) == ["inc_b"]
    assert list(journal.matching("aa")) == ["inc_aac", "inc_aab"]
    assert list(journal.matching("inc_%")) == []


def test_it_can_be_followed(journal: SqliteJournal, path: Path) -> None:
    other = SqliteJournal(path)
    assert journal.since(0) == (0, [])
    for number in range(3):
        other.record(entry("inc", at=float(number)))
    position, found = journal.since(-2)
    assert [e.at for e in found] == [1.0, 2.0]
    assert journal.since(position) == (position, [])
    other.record(entry("inc", at=3.0))
    assert [e.at for e in journal.since(position)[1]] == [3.0]
    other.close()


def test_a_file_that_was_replaced_is_seen(journal: SqliteJournal, path: Path) -> None:
    for _ in range(5):
        journal.record(entry("before"))
    position, _ = journal.since(0)
    for file in path.parent.iterdir():
        file.unlink()
    journal.record(entry("after"))
    assert list(journal.incidents()) == ["after"]
    assert [e.incident for e in journal.since(position)[1]] == ["after"]


def test_a_newer_schema_is_refused(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.record(entry("inc"))
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(JournalError, match=r"newer onhook \(schema 7; this one knows 1\): upgrade"):
        journal.record(entry("inc"))
    with pytest.raises(JournalError, match="newer onhook"):
        journal.incidents()


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    with pytest.raises(JournalError, match="another program: give the journal a file of its own"):
        SqliteJournal(path).record(entry("inc"))


def test_a_file_that_is_none_is_told_and_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    journal = SqliteJournal(path)
    with pytest.raises(JournalError, match=r"damaged, or is none .*: move it away together with"):
        journal.record(entry("inc"))
    path.unlink()
    journal.record(entry("inc"))
    assert list(journal.incidents()) == ["inc"]
    journal.close()


def test_a_file_that_was_damaged_is_told(path: Path) -> None:
    journal = SqliteJournal(path)
    for number in range(200):
        journal.record(entry(f"inc{number}"))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(JournalError, match="damaged"):
        journal.incidents(500)
    with pytest.raises(JournalError, match="damaged"):
        journal.record(entry("inc"))


def test_a_row_that_holds_something_else_is_told(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.record(entry("inc"))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entry SET step = ?", (json.dumps([]),))
    db.close()
    with pytest.raises(JournalError, match="damaged"):
        journal.entries("inc")
    journal.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"must be writable .*ONHOOK_JOURNAL"):
        SqliteJournal(tmp_path / "file" / "incidents.db").record(entry("inc"))


def test_a_file_that_somebody_holds_delays_once_and_loses_nothing(
    journal: SqliteJournal, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal.record(entry("inc"))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    for at in range(10):
        journal.record(entry("later", at=float(at)))
    assert time.monotonic() - began < 1.5
    assert caplog.text.count("another process holds it") == 1
    holder.execute("ROLLBACK")
    holder.close()
    if (thread := journal._retrying) is not None:
        thread.join(5.0)
    assert [each.at for each in journal.entries("later")] == list(range(10))
    assert len(journal.incidents()) == 2


def test_a_file_that_somebody_holds_for_good_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("onhook.sinks.journal.sqlite._RETRIED", 0.2)
    monkeypatch.setattr("onhook.sinks.journal.sqlite._LATE", 3)
    journal = SqliteJournal(path, timeout=0.01)
    journal.prepare()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        journal.record(entry("inc"))
    with pytest.raises(JournalError, match="another process holds it"):
        journal.record(entry("inc"))
    assert journal._retrying is not None
    journal._retrying.join(5.0)
    assert "3 entries are lost" in caplog.text
    holder.close()
    journal.record(entry("inc"))
    assert len(journal.entries("inc")) == 1
    journal.close()


def test_a_full_disk_is_told_as_one(journal: SqliteJournal, path: Path) -> None:
    journal.record(entry("inc"))
    assert journal._db is not None
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    large = (Entry("inc", Step.RUNG, at, "say", detail="x" * 3000) for at in range(100))
    with pytest.raises(JournalError, match="disk is full: make room"):
        list(map(journal.record, large))
    for number in (errno.ENOSPC, errno.EDQUOT):
        told = JOURNAL.explained(path, OSError(number, os.strerror(number)))
        assert "the disk is full: make room" in str(told)


def test_it_waits_for_another_that_writes(journal: SqliteJournal, path: Path) -> None:
    journal = SqliteJournal(path, timeout=30.0)
    journal.record(entry("inc"))
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, lambda: holder.execute("ROLLBACK"))
    timer.start()
    journal.record(entry("inc"))
    timer.join()
    holder.close()
    assert len(journal.entries("inc")) == 2
    journal.close()


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"keep_days": 0}, {"timeout": -1.0}])
def test_a_journal_of_nothing_is_refused(wrong: dict[str, float], path: Path) -> None:
    name = next(iter(wrong))
    with pytest.raises(PolicyError, match=name):
        SqliteJournal(path, **wrong)  # type: ignore[arg-type]


def test_it_is_in_the_users_place_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setenv("ONHOOK_JOURNAL", "/j.db")
    assert SqliteJournal().path == Path("/j.db")
    assert SqliteJournal(path).path == path


def test_no_place_at_all_is_told_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "places", lambda: settings.Places(None, None, None))
    journal = SqliteJournal()
    with pytest.raises(JournalError, match="ONHOOK_JOURNAL"):
        journal.record(entry("inc"))
    with pytest.raises(JournalError, match="ONHOOK_JOURNAL"):
        journal.prepare()

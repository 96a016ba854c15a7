from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from onhook.call import Direction
from onhook.errors import JournalError, PolicyError
from onhook.sentinel.records.call_record import CallRecord, EndedBy
from onhook.sentinel.records.record_store import RecordStore
from onhook.sentinel.records.record_sums import By, RecordSum

DAY = 86_400.0
NOW = 1_800_000_000.0

WELL = CallRecord(
    id="RM_1/PA_1",
    room="call-_+49********789_x",
    direction=Direction.INBOUND,
    number="+15550101",
    caller="+49********789",
    trunk="ST_1",
    agent="sales",
    host="host-1",
    began_at=NOW - 60,
    answered_at=NOW - 58.5,
    ended_at=NOW,
    ended_by=EndedBy.CALLER,
    ringing=1.5,
)
DEAD = replace(
    WELL,
    id="RM_2/PA_1",
    ended_by=EndedBy.ONHOOK,
    fault="job.died",
    incident="inc_1",
    ring="watchdog",
    mode="act",
    rescue="Say → HangUp",
    outcome="released",
    silent=0.7,
    billed_after_fault=5.5,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "calls.db"


@pytest.fixture
def store(path: Path) -> Iterator[RecordStore]:
    store = RecordStore(path, wall=lambda: NOW)
    yield store
    store.close()


def test_a_record_comes_back_as_it_was(store: RecordStore) -> None:
    assert store.keep(DEAD)
    assert store.find(DEAD.id) == DEAD
    assert store.of_incident("inc_1") == DEAD
    assert store.find("RM_9/PA_1") is store.of_incident("inc_9") is None
    assert json.loads(json.dumps(DEAD.to_json()))["ended_by"] == "onhook"


def test_a_call_is_kept_once_and_amended_on_purpose(store: RecordStore) -> None:
    assert store.keep(WELL)
    assert not store.keep(replace(WELL, ended_by=EndedBy.CARRIER))
    assert store.newest() == [WELL]
    later = replace(DEAD, id=WELL.id)
    assert store.amend(later)
    assert store.newest() == [later]
    assert not store.amend(replace(later, id="RM_9/PA_9"))
    assert store.sums(0)[0].silent_calls == 1


def test_the_newest_come_first_page_by_page(store: RecordStore) -> None:
    records = [replace(WELL, id=f"RM_{n}", ended_at=NOW + n) for n in range(5)]
    for record in records:
        store.keep(record)
    assert [r.id for r in store.newest(2)] == ["RM_4", "RM_3"]
    assert [r.id for r in store.newest(9, before=NOW + 3)] == ["RM_2", "RM_1", "RM_0"]
    assert [r.id for r in store.since(NOW + 3)] == ["RM_4", "RM_3"]


@pytest.mark.parametrize(("by", "keys"), [("number", ["+1", "+2"]), ("agent", ["a", "b"])])
def test_sums(store: RecordStore, by: By, keys: list[str]) -> None:
    for n in range(4):
        store.keep(replace(WELL, id=f"well-{n}", number="+2", agent="b"))
    store.keep(replace(DEAD, id="dead", number="+1", agent="a"))
    store.keep(replace(DEAD, id="seen", number="+1", agent="a", mode="observe", silent=40.0))
    absent = replace(DEAD, fault="agent.absent", silent=0.0, outcome="kept")
    store.keep(replace(absent, id="absent", number="+1", agent="a"))
    store.keep(replace(DEAD, id="old", number="+1", agent="a", ended_at=NOW - 2 * DAY))
    first, second = store.sums(NOW - DAY, by)
    assert first == RecordSum(key=keys[0], calls=3, silent_calls=3, dead_seconds=40.7, rescued=1)
    assert second == RecordSum(key=keys[1], calls=4, silent_calls=0, dead_seconds=0.0, rescued=0)
    total = store.total(NOW - DAY)
    assert (total.calls, total.silent_calls, total.rescued) == (7, 3, 1)
    assert total.silent_rate == pytest.approx(3 / 7)
    assert store.total(NOW + DAY).silent_rate == 0


def test_no_sums_by_what_is_no_column(store: RecordStore) -> None:
    with pytest.raises(PolicyError, match="give 'number' or 'agent'"):
        store.sums(0, "caller; DROP TABLE record")  # type: ignore[arg-type]


def test_what_is_old_or_too_much_goes(path: Path) -> None:
    store = RecordStore(path, keep_days=7, keep=3, wall=lambda: NOW)
    for n in range(5):
        store.keep(replace(WELL, id=f"RM_{n}", ended_at=NOW - n * 3 * DAY))
    assert store.prune() in (2, 4)
    assert [r.id for r in store.newest()] == ["RM_0", "RM_1", "RM_2"]
    store.keep(replace(WELL, id="RM_new", ended_at=NOW + 1))
    assert store.prune() == 1
    assert [r.id for r in store.newest()] == ["RM_new", "RM_0", "RM_1"]
    store.close()


def test_retention_happens_by_itself(path: Path) -> None:
    store = RecordStore(path, keep=10, wall=lambda: NOW)
    for n in range(250):
        store.keep(replace(WELL, id=f"RM_{n}", ended_at=NOW + n))
    assert len(store.newest(1000)) <= 110
    store.close()


@pytest.mark.parametrize("given", [{"keep_days": 0.0}, {"keep": 0}, {"keep_days": float("nan")}])
def test_what_keeps_nothing_is_refused(path: Path, given: dict[str, float]) -> None:
    with pytest.raises(PolicyError, match="give"):
        RecordStore(path, **given)  # type: ignore[arg-type]


def test_reading_makes_no_file_and_the_file_is_private(store: RecordStore, path: Path) -> None:
    assert store.newest() == []
    assert store.sums(0) == []
    assert not path.exists()
    store.keep(WELL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_processes_may_share_it(store: RecordStore, path: Path) -> None:
    other = RecordStore(path)
    assert [s.keep(WELL) for s in (store, other)] == [True, False]
    assert other.newest() == [WELL]
    other.close()


def test_threads_may_share_it(store: RecordStore) -> None:
    def fill(name: str) -> None:
        for n in range(50):
            store.keep(replace(WELL, id=f"{name}-{n}"))

    threads = [threading.Thread(target=fill, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.total(0).calls == 200


def test_a_file_that_was_taken_away_is_made_anew(store: RecordStore, path: Path) -> None:
    store.keep(WELL)
    for each in path.parent.iterdir():
        each.unlink()
    store.keep(DEAD)
    assert store.newest() == [DEAD]


def test_the_file_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE other (n)")
    db.commit()
    db.close()
    store = RecordStore(path)
    with pytest.raises(JournalError, match="ONHOOK_RECORDS=FILE"):
        store.keep(WELL)


def test_nonsense_in_the_file_is_told(store: RecordStore, path: Path) -> None:
    store.keep(WELL)
    db = sqlite3.connect(path)
    db.execute("UPDATE record SET ended_by = 'the moon'")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="is damaged"):
        store.newest()


def test_other_connections_of_this_process_lose_nothing_to_another_process(path: Path) -> None:
    """To close a file that was only opened to look at it gives up this process' locks on it."""
    first, second = RecordStore(path), RecordStore(path)
    first.keep(WELL)
    second.keep(DEAD)  # opens the file while the first has it open
    reader = [sys.executable, "-c", _READER, str(path)]
    assert subprocess.run(reader, check=True, capture_output=True, text=True).stdout == "2\n"
    first.keep(replace(WELL, id="RM_later"))
    assert subprocess.run(reader, check=True, capture_output=True, text=True).stdout == "3\n"
    for store in (first, second):
        store.close()


_READER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT count(*) FROM record").fetchone()[0])
db.close()
"""

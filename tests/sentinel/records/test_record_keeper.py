from __future__ import annotations

from pathlib import Path

import pytest

from onhook.call import LineState
from onhook.sentinel.fleet.claims import Claims
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.open_calls import OpenCalls
from onhook.sentinel.records.record_keeper import RecordKeeper
from onhook.sentinel.records.record_store import RecordStore
from onhook.sentinel.sightings import RoomsListed
from tests.sentinel.records.telling import WALL, rescue
from tests.sentinel.records.test_call_book import Told, begin, gone
from tests.sentinel.test_calls import SID, phone

ID = f"{SID}/PA_caller"


class Sentinel:
    """A book, its keeper and its file."""

    def __init__(self, path: Path, claims: Claims | None = None, owner: str = "one") -> None:
        self.told = Told()
        self.sent: list[CallRecord] = []
        self.said: list[CallRecord] = []
        self.path = path
        self.store = RecordStore(path, wall=self.wall)
        self.keeper = self.started(claims, owner)

    def started(self, claims: Claims | None = None, owner: str = "one") -> RecordKeeper:
        return RecordKeeper(
            self.told.book,
            self.store,
            OpenCalls(self.path, wall=self.wall),
            ended=self.send,
            tell=self.said.append,
            claims=claims,
            owner=owner,
            clock=lambda: self.told.now,
        )

    def wall(self) -> float:
        return WALL + self.told.now

    async def send(self, record: CallRecord) -> None:
        self.sent.append(record)

    async def at(self, now: float) -> None:
        self.told.now = now
        await self.keeper.step()

    def whole_call(self) -> None:
        begin(self.told)
        self.told.take(40.0, gone(phone(LineState.HANGUP)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


async def test_a_call_is_kept_and_sent_once(path: Path) -> None:
    it = Sentinel(path)
    it.whole_call()
    for now in (41.0, 42.5, 43.0, 80.0):
        await it.at(now)
    assert [r.id for r in it.store.newest()] == [ID]
    assert [r.id for r in it.sent] == [ID]
    assert it.keeper.made == 1
    await it.keeper.aclose()


async def test_what_is_told_late_is_amended_and_not_sent_again(path: Path) -> None:
    it = Sentinel(path)
    it.whole_call()
    await it.at(43.0)
    it.told.rescued(rescue(20.0, (20.5, 24.0), 24.4))
    await it.at(60.0)
    assert [r.fault for r in it.store.newest()] == ["job.died"]
    assert len(it.sent) == 1
    await it.keeper.aclose()


async def test_a_killed_sentinel_makes_the_record_after_its_restart(path: Path) -> None:
    it = Sentinel(path)
    begin(it.told)
    it.told.rescued(rescue(12.5, (13.0, 14.0), 15.0)[:3])
    await it.at(14.0)
    again = Sentinel(path)
    again.told.now = 100.0
    await again.keeper._restore()
    again.told.take(101.0, RoomsListed(100.9, ()))
    await again.at(110.0)
    (record,) = again.store.newest()
    assert (record.id, record.ended_by, record.fault) == (ID, "unknown", "job.died")
    assert len(again.sent) == 1
    third = Sentinel(path)
    await third.keeper._restore()
    third.told.take(201.0, RoomsListed(200.9, ()))
    await third.at(300.0)
    assert third.sent == [], "it is done"


async def test_a_call_that_was_recorded_before_the_restart_is_not_again(path: Path) -> None:
    it = Sentinel(path)
    it.whole_call()
    await it.at(43.0)
    again = Sentinel(path)
    again.whole_call()
    await again.at(43.0)
    assert again.sent == []
    assert len(again.store.newest()) == 1


async def test_of_a_fleet_one_makes_the_record_and_tells_the_others(tmp_path: Path) -> None:
    claims = MemoryClaims()
    one = Sentinel(tmp_path / "one.db", claims, "one")
    two = Sentinel(tmp_path / "two.db", claims, "two")
    for it in (one, two):
        it.whole_call()
        await it.at(43.0)
        await it.at(46.0)
    assert (len(one.sent), len(two.sent)) == (1, 0)
    assert two.store.newest() == []
    two.keeper.take(one.said[0])
    two.keeper.take(one.said[0])
    await two.at(47.0)
    assert two.store.newest() == one.store.newest()
    assert two.sent == []


async def test_who_dies_in_making_it_leaves_it_to_another(tmp_path: Path) -> None:
    clock = [0.0]
    claims = MemoryClaims(clock=lambda: clock[0])
    await claims.claim(f"{ID}/record", "dead", 10.0)
    it = Sentinel(tmp_path / "one.db", claims)
    it.whole_call()
    await it.at(43.0)
    assert it.sent == []
    clock[0] = 11.0
    await it.at(46.0)
    assert [r.id for r in it.sent] == [ID]


async def test_without_a_place_records_are_sent_all_the_same(path: Path) -> None:
    told, sent = Told(), []

    async def send(record: CallRecord) -> None:
        sent.append(record)

    keeper = RecordKeeper(
        told.book, None, None, ended=send, tell=lambda _: None, clock=lambda: told.now
    )
    begin(told)
    told.take(40.0, gone(phone(LineState.HANGUP)))
    told.now = 43.0
    await keeper.step()
    assert len(sent) == 1
    await keeper.aclose()


async def test_a_file_that_cannot_be_used_is_told_and_used_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    it = Sentinel(path)
    path.mkdir()
    it.whole_call()
    it.told.now = 43.0
    await it.keeper._guarded(it.keeper.step)
    assert "ONHOOK_RECORDS" in it.keeper.problem
    assert "call records are not kept" in caplog.text
    path.rmdir()
    await it.at(44.0)
    assert [r.id for r in it.store.newest()] == [ID]
    assert it.keeper.problem == ""
    await it.keeper.aclose()

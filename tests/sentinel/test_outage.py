"""The outage switch: who turns it, until when, and what several processes see of it."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from onhook.errors import OutageFileError, PolicyError
from onhook.outages import OutageFile
from onhook.sentinel import outage as outage_module
from onhook.sentinel.outage import LONGEST, OutageSwitch

NOW = 1_700_000_000.0


class Wall:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def switch(tmp_path: Path, wall: Wall) -> OutageSwitch:
    return OutageSwitch(tmp_path / "state" / "outages.json", wall=wall)


def test_on_and_off(switch: OutageSwitch, wall: Wall) -> None:
    on = switch.on(
        "number",
        "+15550100",
        seconds=60,
        by="eve@ops",
        reason="carrier\ndown",
        fallback="+1 555 0199",
    )
    assert (on.until, on.fallback, on.reason) == (NOW + 60, "tel:+15550199", "carrier down")
    assert switch.current() == OutageFile(switch.path, wall=wall).current() == (on,)
    wall.now += 5
    assert switch.off("number", "1-555-0100", by="bob") == (on,)
    assert switch.current() == ()
    assert switch.off("number", "+15550100", by="bob") == ()
    told = [(change.turned, change.by, change.at) for change in switch.history()]
    assert told == [("off", "bob", NOW + 5), ("on", "eve@ops", NOW)]


def test_on_again_replaces_what_was_on(switch: OutageSwitch) -> None:
    switch.on("trunk", "ST_a", seconds=60, by="eve")
    second = switch.on("trunk", "ST_a", seconds=90, by="bob")
    other = switch.on("trunk", "ST_b", seconds=90, by="bob")
    assert switch.current() == (second, other)
    assert len(switch.history()) == 3


def test_off_for_all_ends_everything(switch: OutageSwitch) -> None:
    switch.on("all", seconds=60, by="eve")
    switch.on("tag", "night", seconds=60, by="eve")
    assert len(switch.off("all", by="bob")) == 2
    assert switch.current() == ()
    assert [change.turned for change in switch.history()] == ["off", "off", "on", "on"]


def test_it_ends_by_itself_and_the_history_says_when(switch: OutageSwitch, wall: Wall) -> None:
    switch.on("all", seconds=60, by="eve")
    wall.now += 61
    assert switch.current() == ()
    assert switch.off("all", by="bob") == ()
    assert switch.history()[0].outage.until == NOW + 60


def test_the_history_is_bounded(switch: OutageSwitch) -> None:
    for n in range(150):
        switch.on("tag", str(n % 3), seconds=60, by=f"eve{n}")
    assert len(switch.history()) == 100
    assert switch.history()[0].by == "eve149"


def test_the_file_is_private_and_so_is_its_folder(switch: OutageSwitch) -> None:
    os.umask(old := os.umask(0))
    switch.on("all", seconds=60, by="eve")
    assert switch.path.stat().st_mode & 0o777 == 0o600
    assert switch.path.parent.stat().st_mode & 0o777 == 0o700
    switch.path.chmod(0o640)
    switch.on("all", seconds=60, by="eve")
    assert switch.path.stat().st_mode & 0o777 == 0o640, "whom it was opened to may go on reading"
    assert sorted(p.name for p in switch.path.parent.iterdir()) == [
        "outages.json",
        "outages.json.lock",
    ]
    os.umask(old)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"seconds": 0}, "seconds=0"),
        ({"seconds": LONGEST + 1}, "at most 168 h"),
        ({"scope": "trunk", "value": "a"}, "'a' is no trunk: give its id, ST_"),
        ({"scope": "number"}, "'' is no number"),
        ({"scope": "tag", "value": "a\nb"}, r"'a\\nb' is no tag"),
        ({"by": ""}, "by=''"),
        ({"fallback": "555"}, "'555' is no number that a caller can be sent to"),
        (
            {"scope": "number", "value": "+15550100", "fallback": "tel:+1-555-0100"},
            "leads to .15550100, a number of your own",
        ),
        ({"fallback": "+15550100", "own": ("15550100",)}, "leads to 15550100, a number of your"),
    ],
)
def test_what_cannot_be_is_refused(switch: OutageSwitch, wrong: dict[str, Any], told: str) -> None:
    given = {"scope": "all", "seconds": 60, "by": "eve", **wrong}
    with pytest.raises(PolicyError, match=told):
        switch.on(**given)
    assert not switch.path.exists()


def test_more_than_can_be_meant_are_refused(
    switch: OutageSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_module, "_MOST", 2)
    for tag in "ab":
        switch.on("tag", tag, seconds=60, by="eve")
    with pytest.raises(PolicyError, match="2 outages are on"):
        switch.on("tag", "c", seconds=60, by="eve")


@pytest.mark.parametrize("text", ["{", '{"version": 1, "outages": [5]}', '{"version": 9}'])
def test_in_an_outage_a_damaged_file_does_not_stop_the_switch(
    switch: OutageSwitch, text: str
) -> None:
    switch.path.parent.mkdir()
    switch.path.write_text(text)
    switch.path.chmod(0o600)
    with pytest.raises(OutageFileError):
        switch.current()
    on = switch.on("all", seconds=60, by="eve")
    assert switch.current() == (on,)
    assert Path(f"{switch.path}.damaged").read_text() == text


def test_a_history_that_is_none_is_left(switch: OutageSwitch) -> None:
    switch.on("all", seconds=60, by="eve")
    held = json.loads(switch.path.read_text())
    held["history"] += [5, {}, {"at": 1, "by": "x", "turned": "on", "outage": {}}]
    switch.path.write_text(json.dumps(held))
    assert len(switch.history()) == 1


def test_a_file_that_others_may_write_is_not_overwritten(switch: OutageSwitch) -> None:
    switch.on("all", seconds=60, by="eve")
    switch.path.chmod(0o666)
    with pytest.raises(OutageFileError, match="chmod go-w"):
        switch.off("all", by="eve")


def test_no_place_and_no_folder_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    blocked = OutageSwitch(tmp_path / "file" / "outages.json")
    with pytest.raises(OutageFileError, match="ONHOOK_OUTAGES=FILE"):
        blocked.on("all", seconds=60, by="eve")
    monkeypatch.setattr("onhook.settings.outages", lambda: None)
    with pytest.raises(OutageFileError, match="ONHOOK_OUTAGES=FILE"):
        OutageSwitch()


def test_somebody_else_turns_the_switch_for_too_long(
    switch: OutageSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch.on("all", seconds=60, by="eve")
    monkeypatch.setattr(outage_module, "_LOCKED", 0.1)
    with Path(f"{switch.path}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutageFileError, match="somebody else"):
            switch.off("all", by="eve")
    assert switch.off("all", by="eve")


def turn_on(path: Path, tag: str) -> None:
    for n in range(10):
        OutageSwitch(path).on("tag", f"{tag}{n}", seconds=600, by=tag)


def test_several_processes_lose_nothing_and_readers_see_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "outages.json"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=turn_on, args=(path, tag)) for tag in "abc"]
    for process in processes:
        process.start()
    seen = 0
    while any(process.is_alive() for process in processes):
        now = len(OutageSwitch(path).current())
        assert now >= seen
        seen = now
    for process in processes:
        process.join()
    assert {o.value for o in OutageSwitch(path).current()} == {
        f"{tag}{n}" for tag in "abc" for n in range(10)
    }

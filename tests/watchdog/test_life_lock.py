"""That a watchdog lives can be seen by others, whatever ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from onhook.watchdog.client.host_jobs import HostJobs, host_jobs
from onhook.watchdog.daemon.life_lock import LifeLock
from onhook.watchdog.runtime_dir import RuntimeDir, WatchdogFiles


@pytest.fixture
def files(tmp_path: Path) -> WatchdogFiles:
    return WatchdogFiles(tmp_path, "0123456789ab")


def seen(files: WatchdogFiles) -> HostJobs:
    return host_jobs(RuntimeDir(files.folder))


def test_one_that_answers_nobody_is_seen_until_it_ends(files: WatchdogFiles) -> None:
    files.lock.touch()
    lock = LifeLock(files)
    lock.take()
    assert (seen(files).ending, seen(files).safe) == (1, False)
    lock.release(jobs=False)
    lock.release(jobs=False)
    assert seen(files) == HostJobs()
    assert seen(files).safe
    assert files.lives() == ()


def test_jobs_that_are_left_are_told_of_until_another_has_followed(files: WatchdogFiles) -> None:
    files.lock.touch()
    first, second = LifeLock(files), LifeLock(files)
    first.take()
    first.release(jobs=True)
    assert "no other has followed" in seen(files).unknown
    second.take()
    assert (first.follows, second.follows) == (False, True)
    assert [path.name for path in files.lives()] == [files.life(second.name).name]
    second.release(jobs=False)


def test_of_two_neither_takes_the_others(files: WatchdogFiles) -> None:
    first, second = LifeLock(files), LifeLock(files)
    first.take()
    second.take()
    assert not second.follows
    assert seen(files).ending == 2
    for lock in (first, second):
        lock.release(jobs=False)


def test_where_it_cannot_be_taken_the_watchdog_does_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = LifeLock(WatchdogFiles(tmp_path / "gone", "0123456789ab"))
    lock.take()
    assert "`onhook drain` will not see this watchdog" in caplog.text
    lock.release(jobs=False)


def test_where_none_has_ever_run_nobody_can_tell(files: WatchdogFiles) -> None:
    assert "no watchdog has ever run" in seen(files).unknown
    assert not seen(files).safe


def test_a_socket_at_which_nobody_listens_tells_of_one_that_was_killed(
    files: WatchdogFiles,
) -> None:
    files.lock.touch()
    files.socket.touch()
    assert "was killed here" in seen(files).unknown

"""Where ring 2 cannot be, one line in the log says what is then not covered."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from livekit.agents import JobExecutorType

from onhook.jobguard.watchdog_client import WatchdogClient
from onhook.policy import Policy
from onhook.watchdog.protocol.messages import NO_NEWS
from tests.jobguard.fakes import FakeJob


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    monkeypatch.setenv("ONHOOK_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret")
    return tmp_path / "run"


async def warnings_of(job: FakeJob, caplog: pytest.LogCaptureFixture) -> list[str]:
    ring2 = WatchdogClient(job.ctx, Policy(), lambda: NO_NEWS)
    await ring2.start("agent-1")
    await ring2.leave("done")
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


async def test_jobs_in_threads_have_none(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = FakeJob()
    job.proc.executor_type = JobExecutorType.THREAD
    (told,) = await warnings_of(job, caplog)
    assert "ring 2 is off for jobs in threads" in told
    assert "nobody rescues their callers" in told
    assert "JobExecutorType.PROCESS" in told
    assert not place.exists(), "no watchdog was started"


async def test_windows_has_none(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onhook.watchdog.client.link.sys.platform", "win32")
    (told,) = await warnings_of(FakeJob(), caplog)
    assert "ring 2 is off for job AJ_1: the watchdog needs Unix sockets" in told
    assert "leaves its caller in silence" in told
    assert not place.exists(), "no watchdog was started"


async def test_who_switches_it_off_is_not_warned(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "off")
    assert await warnings_of(FakeJob(), caplog) == []
    assert not place.exists()

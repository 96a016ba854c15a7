"""What a watchdog tells a sentinel of its host, and that no sentinel disturbs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web

from onhook.incident import Incident
from onhook.jobguard.watchdog_client import WatchdogClient
from onhook.ladder import Ladder
from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.rungs import HangUp
from onhook.sentinel.sightings import HostLease, LeasedJob
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.lease import PERIOD, TTL, LeaseSender, calls_of
from onhook.watchdog.daemon.signed_post import SignedPost
from onhook.watchdog.protocol.messages import NO_NEWS, Bye
from tests.fakes import ROOM, call_of, caller
from tests.http_server import http_server
from tests.jobguard.fakes import FakeJob
from tests.livekit.twirp import SECRET, twirp
from tests.rescue.telling import opened
from tests.watchdog.test_job_table import FAILURE, HELLO, Recorder
from tests.watchdog.test_process import Host

SOON = 5.0
CREDENTIALS = Credentials("ws://127.0.0.1:1", "key", SECRET)
OPENED = opened(Incident(FAILURE, call_of(caller()), "inc_1"), Ladder((HangUp(deadline=4.0),)))


async def prepared() -> None:
    """All is loaded."""


@dataclass
class Sentinel:
    """Takes leases, or answers as it is told to."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    leases: asyncio.Queue[HostLease] = field(default_factory=asyncio.Queue)
    tokens: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        header, body = request.headers["Authorization"], await request.read()
        leases = Leases(SignedBodies({"key": SECRET}))
        self.leases.put_nowait(leases.receive(leases.token(header), body))
        self.tokens.append(header.removeprefix("Bearer "))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/else"})

    async def lease(self) -> HostLease:
        async with asyncio.timeout(SOON):
            return await self.leases.get()


@pytest.fixture
async def sentinel() -> AsyncIterator[Sentinel]:
    sentinel = Sentinel()
    async with http_server(web.post("/lease", sentinel.take)) as url:
        sentinel.url = url
        yield sentinel


@contextlib.asynccontextmanager
async def sender_to(
    url: str, calls: Callable[[], Iterable[LeasedJob]] = tuple, **how: Any
) -> AsyncIterator[LeaseSender]:
    post = SignedPost(url, CREDENTIALS)
    sender = LeaseSender(post, "host-1", calls, prepared, **how)
    try:
        yield sender
    finally:
        await sender.aclose()
        await post.aclose()


@contextlib.asynccontextmanager
async def sending(
    url: str, calls: Callable[[], Iterable[LeasedJob]] = tuple, **how: Any
) -> AsyncIterator[LeaseSender]:
    async with sender_to(url, calls, **how) as sender:
        task = asyncio.create_task(sender.watch())
        try:
            yield sender
        finally:
            task.cancel()
            await asyncio.wait({task})


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - a log, and a request
            await asyncio.sleep(0.005)


async def test_a_lease_is_what_a_sentinel_reads_and_is_signed_as_a_webhook_is(
    sentinel: Sentinel,
) -> None:
    calls = [LeasedJob("r", "a", "AJ_1")]
    async with sending(sentinel.url, lambda: calls, period=0.02) as sender:
        lease = await sentinel.lease()
        assert lease == HostLease(sender.host, TTL, (LeasedJob("r", "a", "AJ_1"),))
        claims = jwt.decode(sentinel.tokens[0], SECRET, algorithms=["HS256"], issuer="key")
        assert "roomAdmin" not in claims.get("video", {})
        assert (await sentinel.lease()).host == lease.host
        assert sender.state == "ok"
    while (last := await sentinel.lease()).ttl:
        assert last.jobs
    assert last == HostLease(sender.host, 0.0), "its goodbye"


async def test_a_sentinel_that_fails_is_told_of_once_a_change(
    sentinel: Sentinel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "onhook")
    sentinel.answers = [500, 500, 401, 302, 204, 204]
    async with sending(sentinel.url, period=0.01):
        await until(lambda: "takes this host's lease" in caplog.text)
    told = [record.getMessage() for record in caplog.records]
    assert [t.rsplit(": ", 1)[-1] for t in told[:1]] == ["it answers 500"]
    assert "same LIVEKIT_API_KEY" in told[1]
    assert "it answers 302" in told[2], "a token is carried nowhere else"
    assert "takes this host's lease" in told[3]
    assert len(told) == 4
    assert SECRET not in caplog.text


async def test_without_a_sentinel_pauses_grow_only_when_the_last_lease_counts_no_more() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(round(seconds, 1))
        if len(pauses) == 8:
            await asyncio.Event().wait()

    async with sending("http://127.0.0.1:1", clock=lambda: 0.0, sleep=sleep) as nobody:
        await until(lambda: len(pauses) == 8)
    assert pauses[:4] == [PERIOD, PERIOD, PERIOD, 2 * PERIOD]
    assert max(pauses) <= 5.0
    assert "not reachable" in nobody.state


async def test_a_bug_of_ours_ends_the_leases_and_nothing_else(
    sentinel: Sentinel, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> list[LeasedJob]:
        raise RuntimeError("a bug")

    async with sender_to(sentinel.url, broken) as sender:
        await sender.watch()
    assert "all else goes on" in caplog.text


async def test_a_token_alone_signs_no_lease(caplog: pytest.LogCaptureFixture) -> None:
    post = SignedPost("http://h", Credentials("ws://h", token="t"))
    await LeaseSender(post, "h", tuple, prepared).watch()
    assert "cannot sign" in caplog.text


@contextlib.asynccontextmanager
async def table() -> AsyncIterator[JobTable]:
    """Jobs that stand on a clock of the loop's."""
    jobs = JobTable(Recorder(), clock=asyncio.get_running_loop().time)
    try:
        yield jobs
    finally:
        await jobs.aclose()


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
async def test_a_call_that_its_guard_rescues_is_told_with_the_time_that_may_take() -> None:
    async with table() as jobs:
        job = jobs.joined(HELLO, 0)
        (call,) = calls_of(jobs, now())
        assert (call.room, call.agent, call.job) == ("room", "agent-1", "AJ_1")
        assert (call.released, call.rescue_until) == ("", 0.0)
        jobs.told(job, OPENED)
        (call,) = calls_of(jobs, now())
        assert 4.0 < call.rescue_until <= 10.0


@pytest.mark.looptime
async def test_a_call_that_the_watchdog_rescues_stays_its_own_until_the_end() -> None:
    async with table() as jobs:
        jobs.joined(HELLO, 0)
        jobs.release_all("the host stops")
        (call,) = calls_of(jobs, now())
        assert call.rescue_until > 5.0
        await asyncio.sleep(6.0)
        assert calls_of(jobs, now()) == []


@pytest.mark.looptime
@pytest.mark.parametrize("released", [True, False])
async def test_a_call_that_was_left_on_purpose_is_told_for_a_minute(released: bool) -> None:
    async with table() as jobs:
        job = jobs.joined(HELLO, 0)
        jobs.told(job, Bye("x" * 900, released))
        calls = calls_of(jobs, now())
        if not released:
            assert calls == [], "a call that has ended well"
            return
        assert [call.released for call in calls] == ["x" * 200]
        await asyncio.sleep(61.0)
        assert calls_of(jobs, now()) == []


async def test_the_process_sends_its_lease_where_the_environment_names_a_sentinel(
    sentinel: Sentinel, tmp_path: Path
) -> None:
    async with twirp() as server:
        host = Host(tmp_path, server)
        host.env["ONHOOK_SENTINEL"] = f"{sentinel.url}/"
        try:
            dog = await host.watchdog()
            await host.job()
            await until_lease(sentinel, lambda lease: len(lease.jobs) == 1)
            dog.terminate()
            await host.until(lambda: not host.status())  # it takes no more jobs
            dog.terminate()
            await until_lease(sentinel, lambda lease: lease.ttl == 0)
        finally:
            await host.end()


async def test_a_release_reaches_the_sentinel_by_the_lease(
    sentinel: Sentinel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with twirp() as server:
        host = Host(tmp_path, server)
        host.env["ONHOOK_SENTINEL"] = sentinel.url
        for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "ONHOOK_RUNTIME_DIR"):
            monkeypatch.setenv(name, host.env[name])
        monkeypatch.setenv("ONHOOK_WATCHDOG", "external")
        ring2 = WatchdogClient(FakeJob().ctx, Policy(), lambda: NO_NEWS)
        try:
            await host.watchdog()
            await ring2.start("agent-1")
            await until_lease(sentinel, lambda lease: [j.released for j in lease.jobs] == [""])
            ring2.release("a machine takes over")
            left = LeasedJob(ROOM, "agent-1", "AJ_1", released="a machine takes over")
            await until_lease(sentinel, lambda lease: lease.jobs == (left,))
        finally:
            await ring2.leave("done")
            await host.end()


async def test_a_sentinel_that_is_no_address_keeps_no_watchdog_from_watching(
    tmp_path: Path,
) -> None:
    async with twirp() as server:
        host = Host(tmp_path, server)
        host.env["ONHOOK_SENTINEL"] = "sentinel.local:7899"
        try:
            await host.watchdog()
            assert host.status()["lease"] == ""
        finally:
            await host.end()


async def until_lease(sentinel: Sentinel, holds: Callable[[HostLease], bool]) -> None:
    async with asyncio.timeout(15.0):
        while not holds(await sentinel.lease()):
            pass

"""What a watchdog tells a sentinel of rescues: at least once, bounded, and in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from aiohttp import web

from onhook.incident import Incident, Outcome
from onhook.livekit.credentials import Credentials
from onhook.rescue.events import RescueEvent
from onhook.sentinel.signals.incident_reports import IncidentReports
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.watchdog.daemon.event_forwarder import EventForwarder
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.signed_post import SignedPost
from tests.fakes import ROOM, call_of, caller
from tests.http_server import http_server
from tests.livekit.twirp import SECRET
from tests.rescue.telling import Kept, closed, intent, opened
from tests.watchdog.test_job_table import FAILURE, HELLO, Recorder
from tests.watchdog.test_lease import OPENED, prepared

SOON = 5.0
CREDENTIALS = Credentials("ws://127.0.0.1:1", "key", SECRET)
CLOSED = closed(Outcome("inc_1", "released", "gone"), 2.0)


def of_now(event: RescueEvent) -> RescueEvent:

    return msgspec.structs.replace(event, wall=time.time())


@dataclass
class Sentinel:
    """Takes reports, or answers as it is told to."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    seen: list[tuple[str, str, RescueEvent]] = field(default_factory=list)
    requests: int = 0
    hang: float = 0.0

    async def take(self, request: web.Request) -> web.Response:
        self.requests += 1
        await asyncio.sleep(self.hang)
        header, body = request.headers["Authorization"], await request.read()
        reports = IncidentReports(SignedBodies({"key": SECRET}))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 200:
            found = reports.receive(reports.token(header), body)
            assert reports.unknown == 0
            self.seen += [(seen.room, seen.host, seen.event) for seen in found]
        return web.Response(status=status)


@pytest.fixture
async def sentinel() -> AsyncIterator[Sentinel]:
    sentinel = Sentinel()
    async with http_server(web.post("/incidents", sentinel.take)) as url:
        sentinel.url = url
        yield sentinel


async def at_once(_: float) -> None:
    await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def forwarder_to(url: str) -> AsyncIterator[EventForwarder]:
    post = SignedPost(url, CREDENTIALS)
    try:
        yield EventForwarder(post, "host-1", sleep=at_once)
    finally:
        await post.aclose()


@contextlib.asynccontextmanager
async def forwarding(url: str) -> AsyncIterator[EventForwarder]:
    async with forwarder_to(url) as forwarder:
        task = asyncio.create_task(forwarder.watch(prepared))
        try:
            yield forwarder
        finally:
            task.cancel()
            await asyncio.wait({task})


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - a request
            await asyncio.sleep(0.005)


async def test_events_come_in_order_with_their_room_and_host(sentinel: Sentinel) -> None:
    events = [of_now(event) for event in (OPENED, intent("inc_1", "hang_up", 1.0), CLOSED)]
    async with forwarding(sentinel.url) as forwarder:
        for event in events:
            forwarder.handle(event)
        await until(lambda: len(sentinel.seen) == 3)
        await until(lambda: forwarder.waiting == 0)
    assert [(room, host) for room, host, _ in sentinel.seen] == [(ROOM, "host-1")] * 3
    assert [type(event) for _, _, event in sentinel.seen] == [type(event) for event in events]
    assert sentinel.seen[-1][2] == events[-1]
    assert forwarder.state == "3 told, 0 waiting, 0 lost"


async def test_what_is_not_taken_is_told_again(
    sentinel: Sentinel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "onhook")
    sentinel.answers = [503, 500, 200]
    async with forwarding(sentinel.url) as forwarder:
        forwarder.handle(of_now(OPENED))
        await until(lambda: sentinel.seen)
    assert sentinel.requests == 3
    told = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert told[:2] == ["it answers 503", "it answers 500"]
    assert "takes events again" in caplog.text
    assert SECRET not in caplog.text


async def test_what_will_never_be_taken_holds_nothing_up(sentinel: Sentinel) -> None:
    sentinel.answers = [413, 200]
    async with forwarding(sentinel.url) as forwarder:
        forwarder.handle(of_now(OPENED))
        await until(lambda: forwarder.lost == 1)
        forwarder.handle(of_now(CLOSED))
        await until(lambda: sentinel.seen)


async def test_without_a_sentinel_the_queue_is_bounded() -> None:
    async with forwarder_to("http://127.0.0.1:1") as forwarder:
        for n in range(2_500):
            forwarder.handle(intent("inc_1", "say", float(n)))
        assert (forwarder.waiting, forwarder.lost) == (2_000, 500)


async def test_a_sentinel_that_hangs_keeps_no_watchdog_from_ending(sentinel: Sentinel) -> None:
    sentinel.hang = 30.0
    async with forwarder_to(sentinel.url) as forwarder:
        forwarder.handle(of_now(OPENED))
        began = time.monotonic()
        await forwarder.aclose()
        assert time.monotonic() - began < 2.0
        assert forwarder.waiting == 1


async def test_at_the_end_what_waits_is_told(sentinel: Sentinel) -> None:
    async with forwarder_to(sentinel.url) as forwarder:
        for n in range(120):
            forwarder.handle(of_now(intent("inc_1", "say", float(n))))
        await forwarder.aclose()
        assert len(sentinel.seen) == 120


async def test_a_token_alone_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    forwarder = EventForwarder(SignedPost("http://h", Credentials("ws://h", token="t")), "h")
    forwarder.handle(OPENED)
    await forwarder.watch(prepared)
    await forwarder.aclose()
    assert "cannot sign" in caplog.text


async def test_what_a_guard_tells_is_passed_on_as_it_is() -> None:
    kept = Kept()
    jobs = JobTable(Recorder(), told=(kept,), clock=asyncio.get_running_loop().time)
    job = jobs.joined(HELLO, 0)
    events: list[RescueEvent] = [
        opened(Incident(FAILURE, call_of(caller()), "inc_1"), OPENED.ladder),
        intent("inc_1", "hang_up", 1.0),
        CLOSED,
    ]
    for event in events:
        jobs.told(job, event)
    assert kept.events == events
    await jobs.aclose()

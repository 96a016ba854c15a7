"""`onhook drain` beside real watchdogs, real jobs, and a real sentinel."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from livekit.protocol.room import ListRoomsResponse

from onhook.cli.calls_left import CallsLeft, calls_by_sentinel, sentinel_url
from onhook.errors import ConfigurationError
from onhook.watchdog.client.command import running_pid
from onhook.watchdog.options import WatchdogOptions
from tests.http_server import http_server
from tests.livekit.twirp import says
from tests.sentinel.test_service_life import running
from tests.watchdog.test_process import DEADLINE, Host, host

__all__ = ["host"]


@dataclass(frozen=True)
class Drained:
    code: int
    out: str
    err: str


async def begun(host: Host, *options: str, **env: str) -> asyncio.subprocess.Process:
    return await host.program("onhook.cli", "drain", *options, **env)


async def ended(process: asyncio.subprocess.Process) -> Drained:
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err
    return Drained(process.returncode, out.decode(), err.decode())


async def drained(host: Host, *options: str, **env: str) -> Drained:
    return await ended(await begun(host, *options, **env))


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        return (await process.stdout.readline()).decode()


async def test_a_host_with_calls_may_not_be_stopped_and_one_without_may(host: Host) -> None:
    await host.watchdog()
    told = await drained(host)
    assert (told.code, told.out) == (0, "no call is left (asked 1 watchdogs)\n")
    await host.job("AJ_1")
    told = await drained(host)
    assert (told.code, told.out) == (1, "1 call is left (asked 1 watchdogs)\n")


async def test_it_waits_until_the_last_job_has_said_goodbye(host: Host) -> None:
    await host.watchdog()
    jobs = [await host.job(name, story="ends") for name in ("AJ_1", "AJ_2")]
    waiting = await begun(host, "--wait")
    assert await line(waiting) == "waiting: 2 calls are left\n"
    jobs[0].terminate()
    assert "1 call is left" in await line(waiting)
    jobs[1].terminate()
    told = await ended(waiting)
    assert (told.code, told.err) == (0, "")
    assert "no call is left after" in told.out


async def test_a_call_that_is_being_rescued_counts_until_its_end(host: Host) -> None:
    await host.watchdog()
    job = await host.job("AJ_1")
    waiting = await begun(host, "--wait")
    await line(waiting)
    job.kill()
    assert (await ended(waiting)).code == 0
    assert host.deletions() == 1, "its caller was released first"


async def test_after_the_time_out_calls_are_left(host: Host) -> None:
    await host.watchdog()
    await host.job()
    told = await drained(host, "--wait", "--timeout", "1")
    assert told.code == 1
    assert "1 call is left after" in told.out


async def test_ctrl_c_ends_it_in_order(host: Host) -> None:
    await host.watchdog()
    await host.job()
    waiting = await begun(host, "--wait")
    await line(waiting)
    waiting.send_signal(signal.SIGINT)
    told = await ended(waiting)
    assert (told.code, told.err) == (130, "onhook drain: interrupted; 1 call is left\n")


async def test_a_watchdog_that_was_told_to_end_is_waited_for(host: Host) -> None:
    """It listens no more, so that another can take the next calls, and watches its last one."""
    first = await host.watchdog()
    job = await host.job(mode="external", story="ends")
    first.terminate()
    await host.until(lambda: running_pid(host.place.socket) is None)
    told = await drained(host)
    assert told.code == 1
    assert "the last calls of a watchdog that was told to end" in told.out
    await host.watchdog()
    assert (await drained(host)).code == 1, "there are two now"
    waiting = await begun(host, "--wait")
    await line(waiting)
    job.terminate()
    assert (await ended(waiting)).code == 0


async def test_where_none_has_run_nobody_can_tell_and_where_one_was_idle_none_is_left(
    host: Host,
) -> None:
    told = await drained(host)
    assert told.code == 2
    assert "no watchdog has ever run" in told.err
    idle = await host.watchdog(WatchdogOptions(idle=0.2))
    async with asyncio.timeout(DEADLINE):
        await idle.wait()
    assert not list(host.place.folder.glob("*.life"))
    assert (await drained(host)).code == 0


async def test_while_a_watchdog_that_was_killed_is_not_followed_nobody_can_tell(
    host: Host,
) -> None:
    first = await host.watchdog()
    await host.job(mode="external")
    first.kill()
    await first.wait()
    told = await drained(host)
    assert told.code == 2
    assert "onhook watchdog run" in told.err
    waiting = await begun(host, "--wait")
    assert "a watchdog was killed here" in await line(waiting)
    await host.watchdog()
    news = await line(waiting)
    while "1 call is left" not in news:
        assert "a watchdog has just followed one" in news
        news = await line(waiting)
    waiting.send_signal(signal.SIGINT)
    await ended(waiting)
    assert len(list(host.place.folder.glob("*.life"))) == 1, "that of the first one is gone"


async def test_jobs_that_a_hurried_watchdog_leaves_to_the_next_are_not_forgotten(
    host: Host,
) -> None:
    first = await host.watchdog()
    await host.job(mode="external")
    for _ in range(2):
        first.terminate()
        await host.until(lambda: running_pid(host.place.socket) is None)
    async with asyncio.timeout(DEADLINE):
        assert await first.wait() == 0
    told = await drained(host)
    assert told.code == 2
    assert "or told to leave its jobs" in told.err
    await host.watchdog()
    await host.until(lambda: host.status().get("count") == 1)
    assert (await drained(host)).code == 1


async def test_a_time_out_without_waiting_is_refused(host: Host) -> None:
    told = await drained(host, "--timeout", "5")
    assert told.code == 2
    assert "--timeout is for --wait" in told.err


@pytest.mark.parametrize(
    ("options", "wrong"),
    [(("--host", "other"), "--sentinel"), (("--sentinel", "ftp://host"), "give HOST:PORT")],
)
async def test_what_cannot_be_asked_is_refused(
    host: Host, options: tuple[str, ...], wrong: str
) -> None:
    told = await drained(host, *options, ONHOOK_SENTINEL="")
    assert told.code == 2
    assert wrong in told.err


async def test_a_sentinel_tells_by_the_leases_of_the_hosts_watchdog(
    host: Host, tmp_path: Path
) -> None:
    host.server.scripts["ListRooms"] = [says(ListRoomsResponse())]
    async with running(host.server, tmp_path, observe=True) as (sentinel, *_):
        url = f"http://127.0.0.1:{sentinel.port}"
        host.env["ONHOOK_SENTINEL"] = url
        asked = ("--sentinel", url, "--host", socket.gethostname())
        assert (await drained(host, *asked)).code == 2
        dog = await host.watchdog()
        job = await host.job(story="ends")
        await host.until(lambda: sentinel.host_calls(socket.gethostname()).calls == 1)
        told = await drained(host, *asked)
        assert (told.code, told.out) == (1, f"1 call is left (by the sentinel at {url})\n")
        waiting = await begun(host, *asked, "--wait")
        await line(waiting)
        job.terminate()
        assert (await ended(waiting)).code == 0
        dog.terminate()  # it says goodbye: there is no call
        async with asyncio.timeout(DEADLINE):
            await dog.wait()
        assert sentinel.host_calls(socket.gethostname()).safe
        elsewhere = await drained(host, ONHOOK_RUNTIME_DIR=str(tmp_path / "elsewhere"))
        assert elsewhere.code == 0, "without a watchdog of its own it asks that of the environment"


class Answers:
    """A sentinel that answers as it is told to."""

    def __init__(self) -> None:
        self.status, self.body = 200, '{"host": "h", "calls": 0, "safe": true, "why": ""}'
        self.tokens: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization", ""))
        assert request.query["host"] == "h&x"
        return web.Response(status=self.status, text=self.body)


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    answers = Answers()
    async with http_server(web.get("/onhook/api/calls", answers.answer)) as url:
        answers.url = f"{url}/onhook"
        yield answers


@pytest.mark.parametrize(
    ("status", "body", "unknown"),
    [
        (200, '{"host": "h", "calls": null, "safe": null, "why": "no lease"}', "no lease"),
        (200, "<html>", "is no sentinel"),
        (200, "[]", "is no sentinel"),
        (200, '{"calls": "3", "safe": true, "why": ""}', "does not know"),
        (404, "", "is no sentinel"),
        (401, "", "ONHOOK_SENTINEL_TOKEN"),
    ],
)
async def test_what_a_sentinel_does_not_know_is_not_taken_for_safe(
    answers: Answers, status: int, body: str, unknown: str
) -> None:
    answers.status, answers.body = status, body
    found = await asyncio.to_thread(calls_by_sentinel, answers.url, "h&x")
    assert not found.safe
    assert unknown in found.unknown


async def test_the_token_is_brought(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHOOK_SENTINEL_TOKEN", "a-token")
    assert (await asyncio.to_thread(calls_by_sentinel, answers.url, "h&x")).safe
    assert answers.tokens == ["Bearer a-token"]


def test_nobody_answers() -> None:
    found = calls_by_sentinel("http://127.0.0.1:1", "h")
    assert "does not answer" in found.unknown
    assert not found.safe


@pytest.mark.parametrize("address", ["", "http://", "host:port", "ftp://h", "h:0"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        sentinel_url(address)


def test_an_address_without_a_scheme_is_http() -> None:
    assert sentinel_url("10.0.0.1:7899") == "http://10.0.0.1:7899"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (CallsLeft(1), "1 call is left"),
        (CallsLeft(7), "7 calls are left"),
        (CallsLeft(0, safe=True), "no call is left"),
    ],
)
def test_it_speaks_plainly(found: CallsLeft, text: str) -> None:
    assert str(found) == text

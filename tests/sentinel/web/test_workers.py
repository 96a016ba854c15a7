"""Workers are asked as livekit-agents answers, and whatever else answers harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from google.protobuf.json_format import MessageToJson
from livekit.protocol.agent_worker import WorkerInfo

from onhook.errors import PolicyError
from onhook.sentinel.page_settings import MOST_WORKERS, worker_addresses
from onhook.sentinel.web import workers as module
from onhook.sentinel.web.workers import Worker, Workers
from tests.http_server import http_server

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(
    worker: Answer, health: Answer | None = None
) -> contextlib.AbstractAsyncContextManager[str]:
    """Serve as a worker's HTTP port does."""
    return http_server(web.get("/worker", worker), web.get("/", health or text("OK")))


def text(body: str, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status)

    return answer


def info(**values: object) -> Answer:
    """Answer as livekit-agents' `worker.py` does."""
    told = WorkerInfo(worker_type="JT_ROOM", sdk_version="1.8.9", protocol_version=1, **values)  # type: ignore[arg-type]
    return text(MessageToJson(told, preserving_proto_field_name=True))


async def asked(address: str) -> Worker:
    workers = Workers((address,))
    async with aiohttp.ClientSession() as client:
        await workers.ask_all(client)
    return workers.latest[0]


async def test_a_worker_tells_its_agent_its_load_and_its_version() -> None:
    async with answering(info(agent_name="front-desk", active_jobs=3, worker_load=0.42)) as url:
        told = await asked(url)
    assert (told.agent, told.jobs, told.version, told.problem) == ("front-desk", 3, "1.8.9", "")
    assert told.load == pytest.approx(0.42)


async def test_what_is_zero_is_left_out_of_the_answer_and_read_as_zero() -> None:
    async with answering(info()) as url:
        told = await asked(url)
    assert (told.agent, told.jobs, told.load) == ("", 0, 0.0)


async def test_a_load_that_is_no_number_is_none() -> None:
    async with answering(info(worker_load=float("nan"))) as url:
        assert (await asked(url)).load is None


async def test_a_worker_that_lost_the_server_says_so() -> None:
    async with answering(info(), text("failed to connect to livekit", 503)) as url:
        told = await asked(url)
    assert told.problem == "failed to connect to livekit"
    assert told.version == "1.8.9"


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "{}", "null", '{"sdk_version": 1, "active_jobs": "x"}', "[" * 9000]
)
async def test_what_is_no_worker_is_said_to_be_none(body: str) -> None:
    async with answering(text(body)) as url:
        assert (await asked(url)).problem == "what it answered is no worker's"


async def test_an_endless_answer_a_redirect_and_an_old_worker_are_told() -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/")

    async with answering(text("x" * 100_000)) as url:
        assert "too long" in (await asked(url)).problem
    async with answering(elsewhere) as url:
        assert "it answered 302" in (await asked(url)).problem
    async with answering(text("Not Found", 404)) as url:
        assert "it answered 404" in (await asked(url)).problem


async def test_silence_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    monkeypatch.setattr(module, "_DEADLINE", 0.2)
    async with answering(never) as url:
        assert (await asked(url)).problem == "it did not answer within 0.2 s"


async def test_nobody_there_is_told_in_words() -> None:
    assert (await asked("http://127.0.0.1:1")).problem == "it cannot be reached: Connection refused"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://agents:8081/", "http://agents:8081"),
        ("10.0.0.7", "http://10.0.0.7:8081"),
        ("agents:9000", "http://agents:9000"),
        ("http://[2001:db8::7]:8081", "http://[2001:db8::7]:8081"),
        ("https://agents.example", "https://agents.example:443"),
    ],
)
def test_an_address_may_be_short(given: str, address: str) -> None:
    assert worker_addresses([given, given]) == (address,)


@pytest.mark.parametrize(
    "given", ["", "ftp://agents", "http://user:pw@agents", "http://agents/x?y", "http://a:0", "a:b"]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(PolicyError, match="no worker: give http://HOST:PORT"):
        worker_addresses([given])


def test_no_more_workers_are_asked_than_a_bound() -> None:
    with pytest.raises(PolicyError, match="at most 200"):
        worker_addresses([f"agents-{place}" for place in range(MOST_WORKERS + 1)])

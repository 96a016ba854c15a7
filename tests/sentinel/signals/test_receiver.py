from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from onhook.errors import ConfigurationError
from onhook.sentinel.sightings import HostLease, RoomGone, Sighting
from onhook.sentinel.signals import receiver as module
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.serving import serve
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.signals.events import KEY, SECRET, event, lease, lease_token, signed


@dataclass
class Served:
    session: aiohttp.ClientSession
    base: str = ""
    seen: list[Sighting] = field(default_factory=list)
    failing: bool = False

    def __post_init__(self) -> None:
        keys = SignedBodies({KEY: SECRET})
        self.receiver = Receiver(Webhooks(keys), Leases(keys), self.take)

    def take(self, sighting: Sighting) -> None:
        if self.failing:
            raise asyncio.QueueFull
        self.seen.append(sighting)

    async def post(
        self, body: bytes, header: str | None = "", path: str = "/webhook"
    ) -> aiohttp.ClientResponse:
        header = signed(body) if header == "" else header
        headers = {} if header is None else {"Authorization": header}
        headers["Content-Type"] = "application/webhook+json"
        async with self.session.post(
            self.base + path, data=io.BytesIO(body), headers=headers
        ) as answer:
            await answer.read()
            return answer

    async def health(self) -> dict[str, Any]:
        async with self.session.get(f"{self.base}/healthz") as answer:
            told: dict[str, Any] = await answer.json()
            return told


@contextlib.asynccontextmanager
async def served(mount: str = "") -> AsyncIterator[Served]:
    async with aiohttp.ClientSession() as session:
        it = Served(session)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        app = it.receiver.app
        if mount:
            app = Starlette(routes=[Mount(mount, app)])
        task = asyncio.create_task(serve(app, "127.0.0.1", 0, started=port.set_result))
        try:
            it.base = f"http://127.0.0.1:{await port}{mount}"
            yield it
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("mount", ["", "/onhook"])
async def test_webhooks_and_leases_are_taken_and_counted(mount: str) -> None:
    async with served(mount) as it:
        assert (await it.post(event("room_finished"))).status == 200
        body = lease("r")
        assert (await it.post(body, lease_token(body), "/lease")).status == 200
        health = await it.health()
    gone, leased = it.seen
    assert gone == RoomGone("call-1", "RM_1")
    assert isinstance(leased, HostLease)
    assert health == {
        "status": "ok",
        "webhooks": {"room_finished": 1},
        "leases": 1,
        "rescue_events": 0,
        "refused": {"webhook": {}, "lease": {}, "report": {}},
        "failed": 0,
    }
    assert it.receiver.webhook_at is not None


async def test_each_refusal_has_its_answer_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = event("room_finished")
    old = event("room_finished", 2, createdAt=str(int(time.time()) - 9999))
    async with served() as it:
        with caplog.at_level(logging.DEBUG, "onhook"):
            assert (await it.post(body, None)).status == 401
            assert (await it.post(body, signed(b"another"))).status == 401
            assert (await it.post(body, signed(body, secret="s" * 40))).status == 401
            assert (await it.post(body, "nonsense")).status == 400
            assert (await it.post(b"{}")).status == 400
            assert (await it.post(old)).status == 400
            assert (await it.post(b" " * 3_000_000)).status == 413
            assert (await it.post(body)).status == 200
            assert (await it.post(body)).status == 200
            assert (await it.post(b"{}", lease_token(b"{}"), "/lease")).status == 400
        health = await it.health()
        assert (await it.post(body, path="/webhooks")).status == 404
    assert it.seen == [RoomGone("call-1", "RM_1")]
    assert health["refused"]["webhook"] == {
        "forged": 3,
        "malformed": 2,
        "stale": 1,
        "oversized": 1,
        "replayed": 1,
    }
    assert health["refused"]["lease"] == {"malformed": 1}
    assert SECRET not in caplog.text
    assert "eyJ" not in caplog.text
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 5


async def test_a_body_without_a_length_is_bounded_too() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65536

    async with served() as it:
        headers = {"Authorization": signed(b"")}
        with contextlib.suppress(aiohttp.ClientError):
            async with it.session.post(
                f"{it.base}/webhook", data=endless(), headers=headers
            ) as answer:
                assert answer.status == 413
        assert (await it.health())["refused"]["webhook"] == {"oversized": 1}


async def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BODY", 0.05)
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async with served() as it:
        headers = {"Authorization": signed(b"")}
        async with it.session.post(f"{it.base}/webhook", data=slow(), headers=headers) as answer:
            assert answer.status == 408
        assert (await it.post(event("room_finished"))).status == 200


async def test_what_could_not_be_taken_may_come_again(caplog: pytest.LogCaptureFixture) -> None:
    body = event("room_finished")
    async with served() as it:
        it.failing = True
        answer = await it.post(body)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert (await it.post(body)).status == 503
        it.failing = False
        assert (await it.post(body)).status == 200
        assert (await it.health())["failed"] == 2
    assert it.seen == [RoomGone("call-1", "RM_1")]
    assert len(caplog.records) == 1


async def test_health_tells_what_the_service_adds() -> None:
    keys = SignedBodies({KEY: SECRET})

    def more() -> Mapping[str, object]:
        return {"status": "degraded", "calls": 3}

    async with aiohttp.ClientSession() as session:
        it = Served(session)
        it.receiver = Receiver(Webhooks(keys), Leases(keys), it.take, health=more)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(it.receiver.app, "::1", 0, started=port.set_result))
        it.base = f"http://[::1]:{await port}"
        told = await it.health()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (told["status"], told["calls"]) == ("degraded", 3)


async def test_the_names_of_events_that_are_counted_are_bounded() -> None:
    async with served() as it:
        for number in range(80):
            assert (await it.post(event(f"event_{number}", number))).status == 200
        counts = (await it.health())["webhooks"]
    assert len(counts) == 65
    assert counts["other"] == 16


async def test_a_port_that_is_taken_is_told_and_the_process_lives() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*another sentinel"):
            await serve(Starlette(), "127.0.0.1", port)
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        await serve(Starlette(), "192.0.2.1", 0)


async def test_a_request_under_way_is_answered_when_it_ends() -> None:
    async with aiohttp.ClientSession() as session:
        it = Served(session)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(it.receiver.app, "127.0.0.1", 0, started=port.set_result))
        begun = asyncio.Event()
        body = event("room_finished")

        async def slow() -> AsyncIterator[bytes]:
            yield body[:10]
            begun.set()
            await asyncio.sleep(0.3)
            yield body[10:]

        it.base = f"http://127.0.0.1:{await port}"
        headers = {"Authorization": signed(body)}
        async with asyncio.TaskGroup() as group:
            posting = group.create_task(
                session.post(f"{it.base}/webhook", data=slow(), headers=headers)
            )
            await begun.wait()
            await asyncio.sleep(0.05)
            task.cancel()
        assert posting.result().status == 200
        posting.result().release()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(aiohttp.ClientConnectionError):
            await it.post(body)
    assert json.loads(body)["event"] == "room_finished"

"""A sentinel inside an application: its lifespan, its prefix, and both keys of a rotation."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import io
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import aiohttp
import pytest
from fastapi import FastAPI
from livekit import api
from livekit.protocol.sip import ListSIPInboundTrunkResponse, ListSIPOutboundTrunkResponse
from starlette.types import ASGIApp

from onhook.errors import ConfigurationError, OnhookError
from onhook.livekit import Credentials
from onhook.sentinel import SentinelApp, SentinelSettings
from onhook.sentinel.service import Sentinel
from onhook.sentinel.signals.serving import serve
from tests.livekit.twirp import Twirp, says, twirp
from tests.sentinel.signals.events import KEY, NEXT_KEY, NEXT_SECRET, SECRET, event, lease
from tests.sentinel.test_service import ROOMS, until

OTHER_SECRET = "a-third-secret-of-at-least-thirty-two-characters"


@contextlib.asynccontextmanager
async def livekit() -> AsyncIterator[Twirp]:
    async with twirp(
        ListRooms=[ROOMS],
        ListSIPInboundTrunk=[says(ListSIPInboundTrunkResponse())],
        ListSIPOutboundTrunk=[says(ListSIPOutboundTrunkResponse())],
    ) as server:
        yield server


def sentinel_app(
    folder: Path, server: Twirp, webhook_keys: Mapping[str, str] = MappingProxyType({})
) -> SentinelApp:
    given = SentinelSettings(
        observe=True,
        poll=0.5,
        journal=folder / "incidents.db",
        outages=folder / "outages.json",
        webhook_keys=webhook_keys,
    )
    return SentinelApp(given, replace(server.credentials, key=KEY, secret=SECRET))


@dataclass(frozen=True)
class Site:
    """Where an application is served."""

    base: str
    session: aiohttp.ClientSession

    async def status(self, path: str) -> int:
        async with self.session.get(self.base + path) as answer:
            return answer.status

    async def json(self, path: str) -> dict[str, object]:
        async with self.session.get(self.base + path) as answer:
            return dict(await answer.json())

    async def post(self, path: str, body: bytes, token: str) -> int:
        headers = {"Authorization": token, "Content-Type": "application/webhook+json"}
        url = self.base + path
        async with self.session.post(url, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[Site]:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, started=port.set_result))
    try:
        async with aiohttp.ClientSession() as session:
            yield Site(f"http://127.0.0.1:{await port}", session)
    finally:
        task.cancel()
        await asyncio.wait((task,))


def signed(body: bytes, key: str, secret: str) -> str:
    """Sign as livekit-server and a watchdog do, by livekit-api."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = api.AccessToken(key, secret).with_sha256(digest)
    return token.with_ttl(dt.timedelta(seconds=50)).to_jwt()


async def test_mounted_into_fastapi_it_lives_as_long_as_the_application(tmp_path: Path) -> None:
    async with livekit() as server:
        sentinel = sentinel_app(tmp_path, server)
        app = FastAPI(lifespan=sentinel.lifespan)
        app.mount("/onhook", sentinel)
        async with served(app) as site:
            assert await site.status("/onhook/healthz") == 503, "its lifespan has not begun"
            async with app.router.lifespan_context(app):
                body = event("participant_joined")
                token = signed(body, KEY, SECRET)
                assert await site.post("/onhook/webhook", body, token) == 200
                told = await site.json("/onhook/healthz")
                assert (told["status"], told["calls"]) == ("ok", 1)
                assert await site.status("/healthz") == 404, "under its prefix alone"
                await until(lambda: "ListRooms" in server.calls)
                with pytest.raises(ConfigurationError, match="runs already"):
                    await sentinel.lifespan().__aenter__()
                began = time.monotonic()
            assert time.monotonic() - began < 5.0
            assert await site.status("/onhook/healthz") == 503
        polls = server.calls.count("ListRooms")
        await asyncio.sleep(0.7)
        assert server.calls.count("ListRooms") == polls, "nothing of it runs on"


async def test_it_begins_anew_and_is_served_by_itself(tmp_path: Path) -> None:
    async with livekit() as server:
        sentinel = sentinel_app(tmp_path, server)
        for _ in range(2):
            async with sentinel.lifespan(), served(sentinel) as site:
                assert (await site.json("/healthz"))["status"] == "ok"


async def test_a_server_runs_its_lifespan_by_the_protocol(tmp_path: Path) -> None:
    sent: list[str] = []
    asked = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive() -> dict[str, str]:
        return {"type": next(asked)}

    async def send(message: Mapping[str, object]) -> None:
        sent.append(str(message["type"]))

    async with livekit() as server:
        sentinel = sentinel_app(tmp_path, server)
        await sentinel({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_what_it_cannot_begin_with_ends_the_start_of_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="LIVEKIT_URL"):
        await SentinelApp().lifespan().__aenter__()
    plans = tmp_path / "plans.toml"
    plans.write_text("[default]\nabsnt = 3\n")
    monkeypatch.setenv("ONHOOK_PLANS", str(plans))
    async with livekit() as server:
        given = SentinelSettings.from_env(
            journal=tmp_path / "incidents.db", outages=tmp_path / "outages.json"
        )
        sentinel = SentinelApp(given, server.credentials)
        with pytest.raises(OnhookError, match="absnt"):
            await sentinel.lifespan().__aenter__()


async def test_one_that_breaks_says_so_and_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Sentinel.run_until
    runs = []

    async def breaks_once(self: Sentinel, told: asyncio.Event, *, listens: bool = True) -> None:
        runs.append(self)
        if len(runs) == 1:
            raise RuntimeError("a bug")
        await whole(self, told, listens=listens)

    monkeypatch.setattr(Sentinel, "run_until", breaks_once)
    monkeypatch.setattr("onhook.sentinel.sentinel_app._ANEW", 0.5)
    async with livekit() as server:
        sentinel = sentinel_app(tmp_path, server)
        async with sentinel.lifespan(), served(sentinel) as site:
            await until(lambda: "the sentinel has ended: it begins anew" in caplog.text)
            assert await site.status("/healthz") == 503
            await until(lambda: len(runs) == 2)
            assert await site.status("/healthz") == 200


async def test_told_to_end_it_does_not_wait_to_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(self: Sentinel, told: asyncio.Event, *, listens: bool = True) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Sentinel, "run_until", breaks)
    monkeypatch.setattr("onhook.sentinel.sentinel_app._ANEW", 60.0)
    async with livekit() as server:
        async with sentinel_app(tmp_path, server).lifespan():
            await until(lambda: "the sentinel has ended" in caplog.text)
            began = time.monotonic()
        assert time.monotonic() - began < 2.0


async def test_webhooks_and_leases_of_both_keys_are_believed_while_keys_are_rotated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with livekit() as server:
        sentinel = sentinel_app(tmp_path, server, {NEXT_KEY: NEXT_SECRET})
        async with sentinel.lifespan(), served(sentinel) as site:
            before = (await site.json("/status"))["signed_at"]
            for number, (key, secret) in enumerate([(KEY, SECRET), (NEXT_KEY, NEXT_SECRET)]):
                body = event("participant_joined", number)
                assert await site.post("/webhook", body, signed(body, key, secret)) == 200
                body = lease("call-1", host=key)
                assert await site.post("/lease", body, signed(body, key, secret)) == 200
            body = event("participant_joined", 9)
            for key, secret in ((NEXT_KEY, SECRET), (KEY, OTHER_SECRET), ("APIx", NEXT_SECRET)):
                assert await site.post("/webhook", body, signed(body, key, secret)) == 401
            told = await site.json("/status")
            after = told["signed_at"]
            assert isinstance(before, dict)
            assert isinstance(after, dict)
    assert set(before.values()) == {"never"}
    assert set(after) == {KEY, NEXT_KEY}
    assert "never" not in after.values()
    for secret in (SECRET, NEXT_SECRET, OTHER_SECRET):
        assert secret not in caplog.text + str(told)


async def test_two_secrets_of_one_key_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    credentials = Credentials("ws://127.0.0.1:1", KEY, SECRET)
    given = SentinelSettings(journal=tmp_path / "j.db", webhook_keys={KEY: OTHER_SECRET})
    with pytest.raises(ConfigurationError, match="different secrets"):
        Sentinel(given, credentials)
    assert list(tmp_path.iterdir()) == []

"""A watchdog whose key is refused says so: in its log, in its status and to its jobs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from aiohttp import web

from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.watchdog import Link
from onhook.watchdog import __main__ as program
from onhook.watchdog.daemon import self_check
from onhook.watchdog.daemon.self_check import SelfCheck
from onhook.watchdog.daemon.server import bind
from onhook.watchdog.protocol.frames import encode
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Hello, Welcome
from tests.livekit.twirp import Answer, error, ok, twirp
from tests.watchdog.test_process import Host

HELLO = Hello("room", "AJ_1", "agent-1", 7, JobPolicy.of(Policy()))
DEADLINE = 10.0


async def refused() -> web.Response:
    """What livekit-server 1.13 answers to a wrong key."""
    return web.Response(status=401)


async def prepared() -> None:
    """All is loaded."""


@pytest.mark.parametrize("refusal", [refused, error(403, "permission_denied")])
async def test_a_refused_key_is_told_once_and_so_is_its_mend(
    refusal: Answer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(self_check, "_SOON", 0.01)
    changes: asyncio.Queue[str] = asyncio.Queue()
    busy = error(503, "unavailable")
    async with twirp(ListParticipants=[refusal, refusal, busy, refusal, ok]) as server:
        check = SelfCheck(server.credentials, prepared, lambda: changes.put_nowait(check.unable))
        watching = asyncio.create_task(check.watch())
        async with asyncio.timeout(DEADLINE):
            assert "LIVEKIT_API_SECRET" in await changes.get()
            assert await changes.get() == ""
        watching.cancel()
        await asyncio.wait({watching})
    assert caplog.text.count("nobody can be rescued") == 1


async def test_a_server_that_cannot_be_reached_says_nothing_about_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(self_check, "_SOON", 0.01)
    async with twirp(ListParticipants=[error(503, "unavailable")]) as server:
        check = SelfCheck(server.credentials, prepared, lambda: pytest.fail("nothing is known"))
        watching = asyncio.create_task(check.watch())
        async with asyncio.timeout(DEADLINE):
            while len(server.calls) < 3:  # noqa: ASYNC110 - the server tells of no request
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.wait({watching})
    assert check.unable == ""


async def test_a_token_alone_is_told_to_lack_words(caplog: pytest.LogCaptureFixture) -> None:
    check = SelfCheck(Credentials("ws://host", token="e30.e30.e30"), prepared, lambda: None)
    await check.watch()
    assert "cannot sign a join token" in check.limits
    assert caplog.text.count("cannot sign a join token") == 1


async def test_a_watchdog_whose_key_is_refused_does_not_look_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    async with twirp(ListParticipants=[refused]) as server:
        host = Host(tmp_path, server)
        try:
            await host.watchdog()
            await host.until(lambda: "refused" in str(host.status().get("unable")))
            link = Link(HELLO, server.credentials, mode="external", files=host.place)
            await link.start()
            async with asyncio.timeout(DEADLINE):
                while "cannot rescue" not in caplog.text:  # noqa: ASYNC110 - a log
                    await asyncio.sleep(0.01)
            assert not link.covered
            await link.bye("done")
            await link.aclose()
            status = await host.program("onhook.cli", "watchdog", "status")
            said, _ = await status.communicate()
            assert status.returncode == 1
            assert b"cannot rescue anybody" in said
        finally:
            await host.end()


async def test_a_job_is_covered_as_soon_as_the_key_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    (tmp_path / "run").mkdir(mode=0o700)
    async with twirp() as server:
        files = Host(tmp_path, server).place
    came: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(Welcome(1, "the key is refused")))
        came.put_nowait(writer)

    listening = await asyncio.start_unix_server(refuse, sock=bind(files.socket))
    link = Link(HELLO, server.credentials, mode="external", files=files)
    async with listening, asyncio.timeout(DEADLINE):
        await link.start()
        writer = await came.get()
        writer.write(encode(Welcome(1, "")))
        while not link.covered:  # noqa: ASYNC110 - the link has no event for its owner
            await asyncio.sleep(0.01)
        await link.aclose()
        writer.close()
        await writer.wait_closed()
    assert came.empty(), "it did not look for another watchdog"


def test_the_output_of_a_detached_watchdog_is_begun_anew_when_it_is_long(tmp_path: Path) -> None:
    path = tmp_path / "out"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, b"short")
        program._cut(descriptor)
        assert path.read_bytes() == b"short"
        os.write(descriptor, bytes(1_000_001))
        program._cut(descriptor)
        os.write(descriptor, b"new")
        assert path.read_bytes() == b"new"
    finally:
        os.close(descriptor)

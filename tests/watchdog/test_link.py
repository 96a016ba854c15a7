"""What a job's link says to a watchdog, frame by frame."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident, Outcome
from onhook.ladder import Ladder
from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.rungs import HangUp, Say
from onhook.watchdog import Link
from onhook.watchdog.client.backoff import LONGEST, SHORTEST, pause
from onhook.watchdog.daemon.server import bind
from onhook.watchdog.protocol.frames import Frames, decode, encode
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Beat, Hello, Message, Welcome
from onhook.watchdog.runtime_dir import RuntimeDir, WatchdogFiles
from tests.fakes import call_of, caller
from tests.rescue.telling import closed, opened, story

HELLO = Hello("room", "AJ_1", "agent-1", 7, JobPolicy.of(Policy()))
CREDENTIALS = Credentials("ws://host", "key", "secret")
DEADLINE = 3.0


def place(folder: Path) -> WatchdogFiles:
    """A runtime folder of the test's own."""
    (folder / "run").mkdir(mode=0o700)
    return RuntimeDir(folder / "run").of(CREDENTIALS)


async def test_a_change_of_what_the_agent_does_is_told_with_the_next_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    files = place(tmp_path)
    told: asyncio.Queue[Beat] = asyncio.Queue()
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        while data := await reader.read(65536):
            for body in frames.feed(data):
                if body and isinstance(message := decode(body), Beat):
                    told.put_nowait(message)
        writer.close()
        await writer.wait_closed()
        gone.set()

    news = [Beat(0.0, "speaking")]
    server = await asyncio.start_unix_server(listen, sock=bind(files.socket))
    link = Link(HELLO, CREDENTIALS, mode="external", files=files, news=lambda: news[0])
    async with server, asyncio.timeout(DEADLINE):
        await link.start()
        link.up()
        while (await told.get()).state != "speaking":
            pass
        news[0] = Beat(0.0, "listening", 12.5, 40.0)
        while (beat := await told.get()).state != "listening":
            pass
        assert (beat.audible_until, beat.left_until) == (12.5, 40.0)
        await link.aclose()
        await gone.wait()


@pytest.mark.parametrize("welcomes", [False, True])
async def test_a_watchdog_that_drops_its_jobs_is_called_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, welcomes: bool
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    files = place(tmp_path)
    calls = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if welcomes:
            writer.write(encode(Welcome(1, "")))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_unix_server(drop, sock=bind(files.socket))
    link = Link(HELLO, CREDENTIALS, mode="external", files=files)
    async with server:
        await link.start()
        await asyncio.sleep(2.0)  # as long as the storm was counted
        await link.aclose()
    assert 2 <= calls <= 8


async def test_a_job_is_covered_again_soon_after_a_watchdog_that_kept_it_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    files = place(tmp_path)
    now = [0.0]
    came: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(Welcome(1, "")))
        came.put_nowait(writer)

    server = await asyncio.start_unix_server(welcome, sock=bind(files.socket))
    link = Link(HELLO, CREDENTIALS, mode="external", files=files, clock=lambda: now[0])
    async with server, asyncio.timeout(10.0):
        await link.start()
        for _ in range(8):  # so many in a row would make it wait for seconds
            writer = await came.get()
            while not link.covered:  # noqa: ASYNC110 - the link has no event for its owner
                await asyncio.sleep(0.01)
            now[0] += 60.0
            writer.close()
            await writer.wait_closed()
        writer = await came.get()
        await link.aclose()
        writer.close()
        await writer.wait_closed()


def test_pauses_grow_from_moments_to_seconds_and_differ_between_jobs() -> None:
    assert pause(0) == 0.0
    shortest = [pause(count, lambda: 0.0) for count in range(1, 40)]
    longest = [pause(count, lambda: 1.0) for count in range(1, 40)]
    assert shortest[0] == SHORTEST
    assert shortest == sorted(shortest)
    assert shortest[-1] == longest[-1] == LONGEST
    assert all(SHORTEST <= a < b for a, b in zip(shortest[:6], longest[:6], strict=True))


async def test_a_failure_of_ours_is_logged_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    tried = asyncio.Queue[None]()

    async def broken(_: object) -> bool:
        tried.put_nowait(None)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("onhook.watchdog.client.link.start", broken)
    link = Link(HELLO, CREDENTIALS, files=place(tmp_path))
    async with asyncio.timeout(DEADLINE):
        await link.start()
        for _ in range(3):
            await tried.get()
        await link.aclose()
    assert "can't start new thread" in caplog.text


async def test_soft_words_leave_what_was_told_of_a_lost_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next watchdog hears of the rescue, although a soft incident has ended since."""
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    files = place(tmp_path)
    told: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        while data := await reader.read(65536):
            for body in frames.feed(data):
                if body:
                    told.put_nowait(decode(body))
        writer.close()
        await writer.wait_closed()
        gone.set()

    link = Link(HELLO, CREDENTIALS, mode="external", files=files)
    lost = Incident(Failure(Fault.SESSION_CLOSED, "it closed", 0.0), call_of(caller()), "inc_lost")
    begun = story(lost, Ladder((Say(), HangUp())), begun="say")
    for event in begun:
        link.handle(event)
    failure = Failure(Fault.LLM_FAILED, "401", 0.0, severity=Severity.IMPAIRED)
    soft = Incident(failure, call_of(caller()), "inc_soft")
    link.handle(opened(soft, Ladder((Say(),))))
    link.handle(closed(Outcome(soft.id, "kept", "the agent is heard again")))
    server = await asyncio.start_unix_server(listen, sock=bind(files.socket))
    async with server, asyncio.timeout(DEADLINE):
        await link.start()
        assert isinstance(await told.get(), Hello)
        assert [await told.get() for _ in begun] == begun
        await link.aclose()
        await gone.wait()

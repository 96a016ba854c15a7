"""What a job's link says to a watchdog, frame by frame."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from onhook.policy import Policy
from onhook.watchdog import Link
from onhook.watchdog.daemon.server import bind
from onhook.watchdog.protocol.frames import Frames, decode
from onhook.watchdog.protocol.messages import Beat, Hello
from onhook.watchdog.runtime_dir import RuntimeDir

HELLO = Hello("room", "AJ_1", "agent-1", "ws://host", 7, "0.1", Policy())
DEADLINE = 3.0


async def test_a_change_of_what_the_agent_does_is_told_with_the_next_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", "")
    place = RuntimeDir(tmp_path / "run")
    place.folder.mkdir(mode=0o700)
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

    news = [("speaking", 0.0)]
    server = await asyncio.start_unix_server(listen, sock=bind(place.socket))
    link = Link(HELLO, mode="external", place=place, news=lambda: news[0])
    async with server, asyncio.timeout(DEADLINE):
        await link.start()
        link.up()
        while (await told.get()).state != "speaking":
            pass
        news[0] = ("listening", 12.5)
        while (beat := await told.get()).state != "listening":
            pass
        assert beat.audible_until == 12.5
        await link.aclose()
        await gone.wait()

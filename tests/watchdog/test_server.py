"""The socket against strangers: real connections that send nonsense, stall, or belong to others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.livekit.credentials import Credentials
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.server import Server, bind
from onhook.watchdog.protocol.frames import HEADER, LIMIT, PULSE, Frames, decode, encode
from onhook.watchdog.protocol.messages import Ask, Beat, Bye, Welcome
from tests.rescue.telling import intent
from tests.watchdog.test_protocol import HELLO, MESSAGES

DEADLINE = 10.0
SLOW = 2.0 + 1.0
"""Seconds for a message, and for a busy machine."""


class Running:
    """A server that listens, and everything that it knows."""

    def __init__(self, path: Path, *, uid: int | None = None, limit: int = 20) -> None:
        self.path = path
        self.job_table = JobTable(JobRescuer(Credentials("ws://host", "key", "secret")))
        self.server = Server(
            self.job_table,
            command=lambda what: {"asked": what},
            uid=uid,
            limit=limit,
        )

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path))

    async def dropped(self, data: bytes, deadline: float = DEADLINE) -> bool:
        """Send bytes and return whether the connection is ended by the other side."""
        reader, writer = await self.open()
        try:
            async with asyncio.timeout(deadline):
                with contextlib.suppress(ConnectionError):
                    writer.write(data)
                    while await reader.read(4096):
                        pass
        except TimeoutError:
            return False
        else:
            return True
        finally:
            writer.close()

    async def healthy(self) -> bool:
        """Return whether a well-behaved job is still served."""
        reader, writer = await self.open()
        try:
            async with asyncio.timeout(DEADLINE):
                writer.write(encode(HELLO) + PULSE + encode(Beat(0.0, "listening")))
                (body,) = Frames().feed(await reader.read(4096))
                message = decode(body)
                writer.write(encode(Bye("done")))
                writer.write_eof()
                await reader.read()
        finally:
            writer.close()
        return isinstance(message, Welcome)


@contextlib.asynccontextmanager
async def listening(folder: Path, **more: int) -> AsyncIterator[Running]:
    running = Running(folder / "w.sock", **more)
    await running.server.serve(bind(running.path))
    tending = asyncio.create_task(running.server.tend())
    try:
        yield running
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        running.server.close()
        await running.job_table.aclose()
        await asyncio.sleep(0)


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    HEADER.pack(LIMIT + 1),
    HEADER.pack(2**32 - 1) + b"x" * 100,
    HEADER.pack(3) + b"abc",
    PULSE,
    encode(intent("inc", "say")),
    encode(HELLO) + encode(HELLO),
    encode(HELLO) + encode(Ask("stop")),
    encode(Welcome(1, "")),
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
async def test_nonsense_is_dropped_with_one_line_and_hurts_nobody(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(tmp_path) as running:
        with caplog.at_level(logging.WARNING, "onhook"):
            assert await running.dropped(data)
        assert [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()] != []
        assert len([r for r in caplog.records if "dropped" in r.getMessage()]) == 1
        assert await running.healthy()


@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([encode(m) for m in MESSAGES]), max_size=4)
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_comes_the_next_job_is_served(tmp_path: Path, pieces: list[bytes]) -> None:
    async def storm() -> None:
        async with listening(tmp_path) as running:
            reader, writer = await running.open()
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
                writer.write_eof()
                async with asyncio.timeout(DEADLINE):
                    await reader.read()
            writer.close()
            assert await running.healthy()

    asyncio.run(storm())


@pytest.mark.parametrize("data", [b"", b"\0", encode(HELLO)[:20], encode(HELLO) + b"\0\0"])
async def test_who_does_not_finish_is_ended(tmp_path: Path, data: bytes) -> None:
    async with listening(tmp_path) as running:
        assert await running.dropped(data, deadline=SLOW)


async def test_who_sends_a_byte_at_a_time_is_ended(tmp_path: Path) -> None:
    async with listening(tmp_path) as running:
        _, writer = await running.open()
        hello = encode(HELLO)
        sent = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(SLOW + 2.0):
                for sent in range(len(hello)):
                    writer.write(hello[sent : sent + 1])
                    await writer.drain()
                    await asyncio.sleep(0.05)
        writer.close()
        assert sent < len(hello) - 1
        assert not running.job_table.jobs


async def test_a_quiet_job_is_not_slow(tmp_path: Path) -> None:
    async with listening(tmp_path) as running:
        assert not await running.dropped(encode(HELLO), deadline=SLOW)


async def test_more_than_so_many_are_refused_and_the_others_stay(tmp_path: Path) -> None:
    async with listening(tmp_path, limit=3) as running:
        held = [await running.open() for _ in range(3)]
        assert await running.dropped(encode(HELLO))
        held[0][1].close()
        await asyncio.sleep(0.1)
        assert await running.healthy()
        for _, writer in held:
            writer.close()


async def test_another_user_is_refused(tmp_path: Path) -> None:
    async with listening(tmp_path, uid=os.getuid() + 1) as running:
        assert await running.dropped(encode(HELLO))
        assert not running.job_table.jobs


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_refused_by_the_kernels_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The socket is opened up for the test: the folder and its mode keep others out as well."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    async with listening(tmp_path) as running:
        running.path.chmod(0o777)
        program = (
            "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])\n"
            "try: print(s.recv(10))\nexcept OSError as e: print(e)\n"
        )
        got = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-I", "-S", "-c", program, str(running.path)],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert "65534" in caplog.text, got.stderr
        assert not running.server.connections


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    with bind(tmp_path / "s") as one:
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
        with bind(tmp_path / "s"), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            with pytest.raises(BlockingIOError):
                one.accept()

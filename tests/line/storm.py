"""Many jobs of one host die at the same instant: light processes, real servers, real callers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from livekit import api, rtc

from onhook.bench.stack import Stack
from onhook.livekit.credentials import Credentials
from onhook.watchdog.client.command import running_pid
from onhook.watchdog.runtime_dir import RuntimeDir, WatchdogFiles

__all__ = ["Storm", "storm"]

_API = 20.0
_START = 120.0
_SAFE = 40.0
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Storm:
    """What became of the callers.

    Args:
        safe: Seconds from the kill to the first words or the end of the call, sorted.
        spoken_to: How many were spoken to.
        released: How many calls have ended.
        memory: The most that the watchdog had resident, in MiB.
        cpu: Seconds of a core that it took.
        seconds: How long all of it lasted.
    """

    safe: tuple[float, ...]
    spoken_to: int
    released: int
    memory: float
    cpu: float
    seconds: float

    def line(self) -> str:
        """Return the figures in one line."""
        count = len(self.safe)
        p99 = self.safe[min(count - 1, round(0.99 * count) - 1)]
        return (
            f"{count} jobs killed at once: safe p50 {statistics.median(self.safe):.2f} s, "
            f"p99 {p99:.2f} s, worst {self.safe[-1]:.2f} s; {self.spoken_to} spoken to, "
            f"{self.released} released; watchdog {self.memory:.0f} MiB, "
            f"{self.cpu:.1f} s CPU in {self.seconds:.1f} s"
        )


class _Caller:
    """A SIP-kind participant: its room's end is the BYE, its first sound the words."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = rtc.Room()
        self.heard_at = 0.0
        self.ended = asyncio.Event()
        self.ended_at = 0.0
        self._ears: set[asyncio.Task[None]] = set()
        self.line.on("track_subscribed", self._subscribed)
        self.line.on("disconnected", self._disconnected)

    async def join(self, env: Mapping[str, str]) -> None:
        attributes = {"sip.callID": f"SCL_{self.name}", "sip.callStatus": "active"}
        token = (
            api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
            .with_identity("sip_caller")
            .with_kind("sip")
            .with_attributes(attributes)
            .with_grants(api.VideoGrants(room_join=True, room=self.name))
            .to_jwt()
        )
        async with asyncio.timeout(_API):
            await self.line.connect(env["LIVEKIT_URL"], token)

    async def close(self) -> None:
        for ear in self._ears:
            ear.cancel()
        await asyncio.gather(*self._ears, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_API):
                await self.line.disconnect()

    def _disconnected(self, *_: object) -> None:
        self.ended_at = self.ended_at or time.monotonic()
        self.ended.set()

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._ears.add(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=8000, num_channels=1)
        try:
            async for event in stream:
                if np.frombuffer(event.frame.data, np.int16).any():
                    self.heard_at = time.monotonic()
                    return
        finally:
            await stream.aclose()


async def storm(stack: Stack, folder: Path, count: int) -> Storm:
    """Kill so many jobs at the same instant, each with one caller.

    Args:
        stack: The servers.
        folder: For the watchdog.
        count: Jobs.
    """
    place = RuntimeDir(folder / "run").of(Credentials.from_env(stack.env))
    env = {
        **os.environ,
        **stack.env,
        "ONHOOK_WATCHDOG": "",
        "ONHOOK_TEST_SAY": "1",
        "ONHOOK_RUNTIME_DIR": str(place.folder),
        "ONHOOK_JOURNAL": str(folder / "incidents.db"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    callers = [_Caller(f"storm-{number}") for number in range(count)]
    async with contextlib.AsyncExitStack() as ends:
        for caller in callers:
            ends.push_async_callback(caller.close)
            await caller.join(stack.env)
        dog = await ends.enter_async_context(_watchdog(env, place))
        jobs = await ends.enter_async_context(_jobs(env, callers))
        before, killed = _cpu(dog), time.monotonic()
        for job in jobs:
            job.kill()
        memory = await _until_all_ended(dog, callers)
        cpu, seconds = _cpu(dog) - before, time.monotonic() - killed
    firsts = (min(filter(None, (c.heard_at, c.ended_at)), default=0.0) for c in callers)
    safe = sorted(first - killed if first else _SAFE for first in firsts)
    return Storm(
        tuple(safe),
        sum(caller.heard_at > 0 for caller in callers),
        sum(0 < caller.ended_at <= killed + seconds for caller in callers),
        memory,
        cpu,
        seconds,
    )


@contextlib.asynccontextmanager
async def _watchdog(env: Mapping[str, str], place: WatchdogFiles) -> AsyncIterator[psutil.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onhook.watchdog"), env=dict(env), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_START):
            while running_pid(place.socket) != process.pid:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def _jobs(
    env: Mapping[str, str], callers: list[_Caller]
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    jobs: list[asyncio.subprocess.Process] = []
    starting = asyncio.Semaphore(4)

    async def start(name: str) -> None:
        more = (name, f"AJ_{name}", "external", "-")
        async with starting:
            job = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.watchdog.job", *more),
                env=dict(env),
                stdout=asyncio.subprocess.PIPE,
            )
            jobs.append(job)
            assert job.stdout is not None
            assert await job.stdout.readline() == b"covered\n"

    try:
        async with asyncio.timeout(_START):
            await asyncio.gather(*(start(caller.name) for caller in callers))
        yield jobs
    finally:
        for job in jobs:
            with contextlib.suppress(ProcessLookupError):
                job.kill()
            await job.wait()


async def _until_all_ended(dog: psutil.Process, callers: list[_Caller]) -> float:
    """Return the most memory that the watchdog had meanwhile, in MiB."""
    most = 0.0
    everybody = asyncio.gather(*(caller.ended.wait() for caller in callers))
    until = time.monotonic() + _SAFE
    while not everybody.done() and time.monotonic() < until:
        most = max(most, dog.memory_info().rss / 2**20)
        await asyncio.wait((everybody,), timeout=_POLL)
    everybody.cancel()
    await asyncio.gather(everybody, return_exceptions=True)
    return most


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))

"""Real processes and a real socket, before a server that is scripted: who is rescued, and when."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import ListParticipantsResponse

from onhook.errors import OnhookError
from onhook.livekit.credentials import Credentials
from onhook.watchdog.client.command import ask, running_pid
from onhook.watchdog.options import WatchdogOptions
from onhook.watchdog.runtime_dir import RuntimeDir
from tests.livekit.twirp import SECRET, Twirp, ok, twirp
from tests.watchdog.job import AGENT

DEADLINE = 20.0
POLL = 0.02
BOUND = 1.0 + 1.0
"""Seconds to the rescue, and for a busy machine."""


async def one_caller() -> web.Response:
    listing = [
        ParticipantInfo(identity=AGENT, kind=ParticipantInfo.Kind.AGENT),
        ParticipantInfo(
            identity="sip_1",
            kind=ParticipantInfo.Kind.SIP,
            attributes={"sip.callID": "SCL_1", "sip.callStatus": "active"},
        ),
    ]
    body = ListParticipantsResponse(participants=listing).SerializeToString()
    return web.Response(body=body, content_type="application/protobuf")


async def nobody() -> web.Response:
    return web.Response(body=b"", content_type="application/protobuf")


async def blocked() -> web.Response:
    return web.json_response({"code": "canceled", "msg": "Response timeout"}, status=408)


async def nonsense() -> web.Response:
    return web.Response(text="<html>Welcome to the proxy</html>", content_type="text/html")


class Host:
    """One machine with a runtime folder of its own, and what runs on it."""

    def __init__(self, folder: Path, server: Twirp) -> None:
        self.place = RuntimeDir(folder / "run").of(server.credentials)
        self.server = server
        self.env = {
            **os.environ,
            "LIVEKIT_URL": server.credentials.url,
            "LIVEKIT_API_KEY": "key",
            "LIVEKIT_API_SECRET": SECRET,
            "ONHOOK_WATCHDOG": "",
            "ONHOOK_RUNTIME_DIR": str(self.place.folder),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self.processes: list[asyncio.subprocess.Process] = []

    async def job(
        self, name: str = "AJ_1", *, mode: str = "auto", story: str = "-", **env: str
    ) -> asyncio.subprocess.Process:
        """Start a job and wait until it is covered."""
        job = await self.program("tests.watchdog.job", f"room-{name}", name, mode, story, **env)
        assert job.stdout is not None
        async with asyncio.timeout(DEADLINE):
            assert await job.stdout.readline() == b"covered\n"
        return job

    async def program(self, module: str, *more: str, **env: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *more),
            env={**self.env, **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    async def watchdog(self, options: WatchdogOptions | None = None) -> asyncio.subprocess.Process:
        """Start a watchdog in the foreground and wait until it is the one that runs."""
        process = await self.program(*(options or WatchdogOptions()).command[3:])
        await self.until(lambda: running_pid(self.place.socket) == process.pid)
        return process

    def status(self) -> dict[str, Any]:
        with contextlib.suppress(OnhookError):  # it may be dying while it is asked
            return ask(self.place.socket, "status") or {}
        return {}

    def deletions(self) -> int:
        return self.server.calls.count("DeleteRoom")

    def deleted(self, count: int) -> bool:
        return self.deletions() == count

    def log(self) -> str:
        return self.place.log.read_text() if self.place.log.exists() else ""

    async def until(self, holds: Callable[[], object], deadline: float = DEADLINE) -> float:
        """Wait until something holds of other processes; return how long that took."""
        began = time.monotonic()
        async with asyncio.timeout(deadline):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(POLL)
        return time.monotonic() - began

    async def end(self) -> None:
        for process in reversed(self.processes):  # jobs first: they would start another
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
        if pid := running_pid(self.place.socket):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    """A host whose calls have one caller each, and whose jobs answer nothing through the room."""
    async with twirp(
        ListParticipants=[one_caller], DeleteRoom=[ok], RemoveParticipant=[ok], PerformRpc=[blocked]
    ) as server:
        running = Host(tmp_path, server)
        try:
            yield running
        finally:
            await running.end()


async def test_a_job_starts_a_watchdog_and_is_rescued_when_it_is_killed(host: Host) -> None:
    job = await host.job()
    dog = running_pid(host.place.socket)
    assert dog not in (None, job.pid)
    assert psutil.Process(dog).ppid() != job.pid, "it is nobody's child, so that it outlives all"
    assert os.getsid(dog or 0) == dog or os.getsid(dog or 0) != os.getsid(0)
    job.kill()
    assert await host.until(host.deletions) < BOUND
    await host.until(lambda: "job.died" in host.log())


async def test_a_job_that_says_goodbye_is_left_alone(host: Host) -> None:
    await host.watchdog()
    job = await host.job(story="bye")
    await job.wait()
    other = await host.job("AJ_2")
    other.kill()
    await host.until(host.deletions)
    assert host.deletions() == 1, "only the one that said nothing"


async def test_a_job_that_is_stopped_is_rescued_silenced_and_ended(host: Host) -> None:
    await host.watchdog()
    job = await host.job()
    os.kill(job.pid, signal.SIGSTOP)
    took = await host.until(host.deletions)
    assert 4.0 < took < 5.0 + 2 * BOUND, "the limit of its policy, and two questions"
    calls = host.server.calls
    assert calls.index("RemoveParticipant") < calls.index("DeleteRoom"), "it could have woken"
    async with asyncio.timeout(DEADLINE):
        assert await job.wait() < 0


async def test_a_job_that_comes_back_keeps_its_call(host: Host) -> None:
    job = await host.job()
    os.kill(job.pid, signal.SIGSTOP)
    await host.until(lambda: "job.hung" in host.log())
    os.kill(job.pid, signal.SIGCONT)
    await host.until(lambda: "the call is its own" in host.log())
    await host.until(lambda: "kept" in host.log())
    assert not host.deletions()
    assert "RemoveParticipant" not in host.server.calls
    job.kill()
    await host.until(host.deletions)


async def test_a_server_that_answers_nonsense_keeps_nobody_from_trying(host: Host) -> None:
    host.server.scripts["ListParticipants"] = [*(nonsense for _ in range(4)), one_caller]
    host.server.scripts["PerformRpc"] = [nonsense]
    job = await host.job()
    job.kill()
    await host.until(host.deletions)


async def test_a_job_that_has_no_caller_needs_nobody(host: Host) -> None:
    host.server.scripts["ListParticipants"] = [nobody]
    dog = await host.watchdog()
    job = await host.job()
    job.kill()
    await host.until(lambda: host.status().get("count") == 0)
    dog.terminate()
    assert dog.stderr is not None
    assert b"no caller was on the line" in await dog.stderr.read()
    assert not host.deletions()


@pytest.mark.parametrize(("story", "deletions"), [("said", 1), ("released", 0)])
async def test_a_rescue_that_was_begun_is_finished_and_one_that_is_over_is_not_repeated(
    host: Host, story: str, deletions: int
) -> None:
    await host.watchdog()
    job = await host.job(story=story)
    job.kill()
    await host.until(lambda: host.status().get("count") == 0)
    if deletions:
        await host.until(host.deletions)
        await host.until(lambda: host.status().get("rescues") == 1)
    assert host.deletions() == deletions


async def test_what_the_guard_hands_outward_is_tried_again_at_once(host: Host) -> None:
    await host.watchdog()
    await host.job(story="handed_outward")
    assert await host.until(host.deletions) < BOUND


async def test_a_guard_that_lives_and_does_not_finish_is_taken_over(host: Host) -> None:
    """It beats, so it is not hung: its own deadlines have the say."""
    await host.watchdog()
    job = await host.job(story="stalls")
    took = await host.until(host.deletions)
    assert 1.0 < took < 2.0 + BOUND
    calls = host.server.calls
    assert calls.index("RemoveParticipant") < calls.index("DeleteRoom"), "it might still speak"
    assert job.returncode is None


async def test_a_watchdog_that_is_killed_is_followed_by_another(host: Host) -> None:
    job = await host.job()
    first = running_pid(host.place.socket)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await host.until(lambda: running_pid(host.place.socket) not in (None, first))
    await host.until(lambda: host.status().get("count") == 1)
    job.kill()
    assert await host.until(host.deletions) < BOUND


async def test_a_rescue_survives_the_watchdog_that_knew_of_it(host: Host) -> None:
    """The job tells the next watchdog what it had told the first."""
    job = await host.job(story="said")
    first = running_pid(host.place.socket)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await host.until(lambda: host.status().get("count") == 1)
    job.kill()
    await host.until(host.deletions)
    await host.until(lambda: "inc_test released" in host.log())
    assert host.log().count("inc_test say ") == 1, "what the guard had told of it"


async def test_one_watchdog_for_one_identity(host: Host) -> None:
    await host.watchdog()
    second = await host.program("onhook.watchdog")
    async with asyncio.timeout(DEADLINE):
        _, errors = await second.communicate()
    assert second.returncode == 3
    assert b"runs already" in errors


async def test_it_ends_when_it_is_idle_and_leaves_nothing_behind(host: Host) -> None:
    dog = await host.watchdog(WatchdogOptions(idle=0.5))
    async with asyncio.timeout(DEADLINE):
        assert await dog.wait() == 0
    assert not host.place.socket.exists()
    assert host.place.folder.stat().st_mode & 0o077 == 0


async def test_each_key_has_its_own_watchdog_in_one_folder(host: Host) -> None:
    """A rotated key: the jobs of both generations are rescued, each with the key that they have."""
    rotated = f"{SECRET}-rotated"
    jobs = [await host.job("AJ_old"), await host.job("AJ_new", LIVEKIT_API_SECRET=rotated)]
    url = host.server.credentials.url
    second = RuntimeDir(host.place.folder).of(Credentials(url, "key", rotated))
    try:
        pids = {running_pid(host.place.socket), running_pid(second.socket)}
        assert None not in pids
        assert len(pids) == 2
        for done, job in enumerate(jobs):
            job.kill()
            await host.until(functools.partial(host.deleted, done + 1))
        keys = {
            answer["key"]
            for answer in (ask(host.place.socket, "status"), ask(second.socket, "status"))
            if answer
        }
        assert len(keys) == 2
        names = " ".join(path.name for path in host.place.folder.iterdir())
        assert SECRET not in names
        assert "Traceback" not in second.log.read_text()
    finally:
        if (pid := running_pid(second.socket)) is not None:
            os.kill(pid, signal.SIGKILL)


async def test_without_credentials_it_does_not_run(host: Host) -> None:
    dog = await host.program("onhook.watchdog", LIVEKIT_API_SECRET="")
    async with asyncio.timeout(DEADLINE):
        _, errors = await dog.communicate()
    assert dog.returncode == 1
    assert b"LIVEKIT_API_SECRET not set" in errors


async def test_told_to_end_it_stays_for_its_calls_and_another_takes_the_next(host: Host) -> None:
    """Also where several are told to end: no job's death finds nobody."""
    first = await host.watchdog()
    jobs = [await host.job("AJ_1", mode="external")]
    first.terminate()
    second = await host.watchdog()
    jobs.append(await host.job("AJ_2", mode="external"))
    second.terminate()
    await host.until(lambda: running_pid(host.place.socket) is None)
    assert first.returncode is None
    assert not host.deletions(), "a healthy call was touched"
    for done, job in enumerate(jobs):
        job.kill()
        await host.until(functools.partial(host.deleted, done + 1))
    async with asyncio.timeout(DEADLINE):
        assert await first.wait() == await second.wait() == 0


async def test_when_a_container_goes_the_calls_that_are_left_get_their_ladder(host: Host) -> None:
    dog = await host.watchdog(WatchdogOptions(grace=0.5, release=True))
    await host.job(mode="external")
    dog.terminate()
    await host.until(host.deletions)
    async with asyncio.timeout(DEADLINE):
        assert await dog.wait() == 0


async def test_a_second_signal_sends_its_jobs_to_another(host: Host) -> None:
    dog = await host.watchdog()
    await host.job()
    dog.terminate()
    await host.until(lambda: running_pid(host.place.socket) is None)
    dog.terminate()
    async with asyncio.timeout(DEADLINE):
        assert await dog.wait() == 0
    await host.until(lambda: host.status().get("count") == 1)
    assert not host.deletions(), "a healthy call was touched"


async def test_what_is_printed_goes_into_no_rotated_file(host: Host) -> None:
    await host.job()
    pid = running_pid(host.place.socket)
    assert {Path(f"/proc/{pid}/fd/{fd}").readlink() for fd in (1, 2)} == {host.place.output}


async def test_no_zombie_stays_of_a_watchdog_that_was_started(host: Host) -> None:
    job = await host.job()
    assert psutil.Process(job.pid).children(recursive=True) == []


async def test_nothing_secret_is_in_the_log(host: Host) -> None:
    job = await host.job()
    job.kill()
    await host.until(lambda: "released" in host.log())
    assert SECRET not in host.log()
    assert host.place.log.stat().st_mode & 0o077 == 0
    assert host.place.socket.stat().st_mode & 0o077 == 0

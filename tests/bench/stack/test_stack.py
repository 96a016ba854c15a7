"""The real servers: up, healthy, apart from each other, and gone without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from onhook.bench.phone import Phone
from onhook.bench.stack import Route, Stack, StackError, StackState, running
from onhook.bench.stack.running_stacks import claimed, remember

pytestmark = pytest.mark.stack

UP = """
import asyncio, json, os
from onhook.bench.stack import Stack
async def main():
    async with Stack() as stack:
        print(json.dumps(dict(stack.pids)), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    yield
    for state in running():
        os.kill(state.pid, signal.SIGTERM)


def lives(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()


async def gone(*pids: int) -> None:
    async with asyncio.timeout(10):
        while any(lives(pid) for pid in pids):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.02)


async def test_servers_are_killed_and_started_again_with_what_redis_kept(tmp_path: Path) -> None:
    async with Stack(folder=tmp_path, sip="off", keeps=True) as stack:
        await stack.add_route(Route("+15550100", "front-desk"))
        before = dict(stack.pids)
        for name in before:
            stack.kill(name)
            await stack.restart(name)
        assert not set(before.values()) & set(stack.pids.values())
        with pytest.raises(StackError):
            await stack.add_route(Route("+15550100", "front-desk"))  # it is there already
        with pytest.raises(StackError, match="no server 'nginx'"):
            await stack.restart("nginx")


async def test_two_stacks_side_by_side_and_no_trace_after(tmp_path: Path) -> None:
    one, two = Stack(folder=tmp_path / "one"), Stack(folder=tmp_path / "two")
    async with one, two:
        pids = [*one.pids.values(), *two.pids.values()]
        assert len(set(pids)) == 6
        assert one.url != two.url
        for stack in (one, two):
            async with aiohttp.ClientSession() as web, web.get(http(stack)) as answer:
                assert answer.status == 200
        secret = one.env["LIVEKIT_API_SECRET"]
        for pid in pids:
            assert secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        everywhere = [
            connection
            for pid in pids
            for connection in psutil.Process(pid).net_connections()
            if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
            and connection.laddr.ip != "127.0.0.1"
        ]
        assert everywhere == [], "a server listens beyond loopback"
    await gone(*pids)
    for path in (tmp_path / "one").iterdir():
        assert path.suffix == ".log"
        assert secret not in path.read_text(errors="replace")


async def test_a_number_without_a_route_gets_a_final_response() -> None:
    async with Stack() as stack, Phone() as phone:
        call = await phone.dial("+19995550000", server=stack.sip_address)
        report = await call.ended(timeout=10)
        assert report.how == "rejected 486"


async def test_a_number_whose_agent_never_comes_rings_for_the_trunks_time() -> None:
    routes = [Route("+15550100", "nobody")]
    async with Stack(routes, ringing=2.0) as stack, Phone() as phone:
        call = await phone.dial("+15550100", server=stack.sip_address)
        report = await call.ended(timeout=10)
        assert report.how == "rejected 486"
        assert report.ended_at is not None
        assert 1.5 < report.ended_at - report.invited_at < 6


async def test_a_number_has_one_route() -> None:
    async with Stack([Route("+15550100", "a")], sip="off") as stack:
        assert stack.sip_address is None
        with pytest.raises(StackError, match="refused"):
            await stack.add_route(Route("+15550100", "b"))


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_servers_die_with_their_owner(sig: signal.Signals) -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", UP),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert owner.stdout is not None
    async with asyncio.timeout(30):
        pids = json.loads(await owner.stdout.readline())
    owner.send_signal(sig)
    async with asyncio.timeout(15):
        await owner.wait()
    await gone(*pids.values())


async def test_a_server_that_dies_is_named_with_its_log() -> None:
    async with Stack() as stack:
        stack.kill("livekit-sip")
        async with asyncio.timeout(5):
            server = await stack.ended()
        assert server.name == "livekit-sip"
        with pytest.raises(StackError, match="not running"):
            stack.kill("livekit-sip")
        with pytest.raises(StackError, match="no server 'asterisk'"):
            stack.kill("asterisk")


async def test_a_missing_program_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_LIVEKIT_SIP", str(tmp_path / "none"))
    with pytest.raises(StackError, match="ONHOOK_LIVEKIT_SIP"):
        await Stack().__aenter__()
    monkeypatch.delenv("ONHOOK_LIVEKIT_SIP")
    monkeypatch.setenv("ONHOOK_BIN_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(StackError, match="make setup"):
        await Stack().__aenter__()


async def test_a_program_that_is_no_server_shows_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "livekit-server"
    broken.write_text("#!/bin/sh\necho I am broken\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("ONHOOK_LIVEKIT_SERVER", str(broken))
    with pytest.raises(StackError, match="I am broken"):
        await Stack(folder=tmp_path / "logs").__aenter__()


def onhook(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onhook.cli", "stack", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_the_commands() -> None:
    assert onhook("status").returncode == 1
    assert "no stack" in onhook("down").stderr
    started = onhook("up", "--detach", "--name", "mine", "--no-sip")
    assert started.returncode == 0, started.stderr
    assert "ws://127.0.0.1" in started.stdout
    again = onhook("up", "--name", "mine")
    assert again.returncode == 1
    assert "is running" in again.stderr
    (state,) = json.loads(onhook("status", "--json").stdout)
    assert state["name"] == "mine"
    env = Path(state["env_file"])
    assert env.stat().st_mode & 0o777 == 0o600
    secret = env.read_text().split("LIVEKIT_API_SECRET=")[1].split()[0]
    table = onhook("status").stdout
    assert "mine" in table
    assert secret not in started.stdout + table + json.dumps(state)
    assert onhook("down", "--name", "mine").returncode == 0
    assert onhook("status").returncode == 1
    assert not Path(state["folder"]).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "../x"], "no name for a stack"),
        (["--number", "12 34"], "no number that can be dialled"),
        (["--number", ""], "no number that can be dialled"),
        (["--agent", " "], "has no agent"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], words: str) -> None:
    for detach in ([], ["--detach"]):
        ended = onhook("up", *arguments, *detach)
        assert ended.returncode == 1
        assert words in ended.stderr
        assert ended.stderr.count("onhook stack:") == 1
        assert "Traceback" not in ended.stderr


def test_a_folder_for_states_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", "/dev/null")
        ended = onhook("status")
    assert ended.returncode == 1
    assert "set XDG_RUNTIME_DIR to a folder of yours" in ended.stderr


def test_a_state_whose_process_id_is_somebody_elses_is_no_stack(tmp_path: Path) -> None:
    env_file = tmp_path / "env.sh"
    env_file.write_text("export LIVEKIT_API_SECRET=x\n")
    with claimed("mine"):
        remember(StackState("mine", os.getpid(), "ws://h", "", str(tmp_path), str(env_file)))
        assert [state.name for state in running()] == ["mine"]
        with pytest.raises(StackError, match="is running"), claimed("mine"):
            pass
    remember(StackState("mine", os.getpid(), "ws://h", "", str(tmp_path), str(env_file)))
    assert running() == []
    assert not env_file.exists()
    with claimed("mine"):
        assert running() == []


def test_a_stack_that_does_not_start_leaves_its_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "livekit-server"
    broken.write_text("#!/bin/sh\necho I am broken\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("ONHOOK_LIVEKIT_SERVER", str(broken))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ended = onhook("up", "--no-sip")
    assert ended.returncode == 1
    log = Path(ended.stderr.split("whole log: ")[1].split(")")[0])
    assert "I am broken" in log.read_text()
    assert {path.suffix for path in log.parent.iterdir()} == {".log"}


def test_a_stack_in_the_foreground_ends_on_ctrl_c() -> None:
    up = subprocess.Popen(
        [sys.executable, "-m", "onhook.cli", "stack", "up", "--name", "front"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    assert "LiveKit" in up.stdout.readline()
    assert [state.name for state in running()] == ["front"]
    up.send_signal(signal.SIGINT)
    rest = up.communicate(timeout=20)[0]
    assert "has ended" in rest
    assert up.returncode == 0
    assert running() == []


def http(stack: Stack) -> str:
    return stack.url.replace("ws://", "http://")

"""The container file: linted, checked, and what is put into it run as it would run there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from livekit.protocol.sip import ListSIPInboundTrunkResponse, ListSIPOutboundTrunkResponse

from tests.deploy.deploy_files import DEPLOY, ROOT, accepted, container_settings, instructions
from tests.livekit.twirp import hang, says, twirp
from tests.sentinel.test_service import ROOMS, until

FILE = DEPLOY / "container" / "Containerfile"
USER = 10001
START = 90.0


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "style", FILE],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_it_runs_as_a_user_of_its_own_what_the_cli_knows() -> None:
    assert last("USER") == f"{USER}:0"
    entry, command = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
    assert accepted([*entry, *command]) == "sentinel run"
    assert command[-2:] == ["--webhook", "0.0.0.0:7899"]
    assert last("EXPOSE") == "7899"
    assert "127.0.0.1:7899/healthz" in last("HEALTHCHECK")


def test_its_base_has_a_version_and_no_secret_is_built_in() -> None:
    version, system = last("ARG").removeprefix("PYTHON=").split("-", 1)
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version}" in supported
    assert system == "slim-trixie"
    names = [rest for name, rest in instructions() if name in ("ARG", "ENV")]
    assert not [rest for rest in names if "SECRET" in rest or "TOKEN" in rest or "KEY" in rest]


def test_what_it_copies_is_there_and_is_not_ignored() -> None:
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY"]
    sources = [path for paths in copied if not paths[0].startswith("--from") for path in paths]
    assert sources
    allowed = (DEPLOY / "container" / "Containerfile.dockerignore").read_text().splitlines()
    assert allowed[0] == "*"
    for path in sources:
        assert (ROOT / path).exists(), path
        assert f"!{path}" in allowed


def test_its_packages_are_those_of_the_lock() -> None:
    """What `make lock` would change is told here, and not by the first build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["sentinel"]
    locked = {name: versions(ROOT / "requirements" / f"{name}.txt") for name in ("sentinel", "dev")}
    names = {requirement.split(">")[0].split("=")[0].split("[")[0].lower() for requirement in asked}
    assert names <= set(locked["sentinel"]), "run `make lock`"
    for name, version in locked["sentinel"].items():
        assert locked["dev"][name] == version, f"{name}: run `make lock`"


def versions(lock: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lock.read_text().splitlines():
        if "==" in line and line[0].isalpha():
            name, _, rest = line.partition("==")
            found.setdefault(name, []).append(rest.rstrip(" \\"))
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built and unpacked beside the packages that it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = shutil.which("uv") or str(ROOT / ".local" / "uv" / "bin" / "uv")
    command = (
        uv,
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--compile-bytecode",
    )
    where = ("--python", sys.executable, "--target", folder, ROOT)
    subprocess.run([*command, *where], check=True, cwd=folder, timeout=90)
    return folder


@pytest.fixture
def state() -> Iterator[Path]:
    """The folder of the volume, where a stranger can reach it."""
    with tempfile.TemporaryDirectory(prefix="onhook-state-") as folder:
        os.chown(folder, USER, 0)
        Path(folder).chmod(0o770)
        yield Path(folder)


READ_ONLY = (
    *("unshare", "--mount", "sh", "-c"),
    'mount --bind /tmp /tmp && mount -o remount,ro,bind / && exec "$@"',
    "sh",
)
"""A system in which nothing but /tmp can be written to."""


@contextlib.asynccontextmanager
async def contained(
    installed: Path, state: Path, port: int, server: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the container file's command in surroundings like a container's, as its user."""
    entry, command = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
    assert entry == ["onhook"]
    command = [word.replace("0.0.0.0:7899", f"127.0.0.1:{port}") for word in command]
    env = {
        name: value.replace("/var/lib/onhook", str(state))
        for name, value in container_settings().items()
    }
    user = ("setpriv", f"--reuid={USER}", "--regid=0", "--clear-groups")
    readable = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    process = await asyncio.create_subprocess_exec(
        *(*READ_ONLY, *user, *readable, sys.executable, "-m", "onhook.cli", *command),
        cwd=state,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            **env,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(installed),
            "LIVEKIT_URL": server,
            "LIVEKIT_API_KEY": "key",
            "LIVEKIT_API_SECRET": "a-secret-of-at-least-thirty-two-characters",
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_the_wheel_runs_read_only_as_a_stranger_and_ends_in_five_seconds(
    installed: Path, state: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    async with (
        twirp(
            ListRooms=[ROOMS],
            ListSIPInboundTrunk=[says(ListSIPInboundTrunkResponse())],
            ListSIPOutboundTrunk=[says(ListSIPOutboundTrunkResponse())],
        ) as livekit,
        contained(installed, state, port, livekit.credentials.url) as process,
    ):
        health = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
        assert health[:2] == ["python", "-c"]
        check = health[2].replace(":7899", f":{port}")
        async with asyncio.timeout(START):
            while True:
                assert process.returncode is None, await said(process)
                asked = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", "-c", check), stderr=asyncio.subprocess.DEVNULL
                )
                if await asked.wait() == 0:
                    break
                await asyncio.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10.0):
            code = await process.wait()
        took = time.monotonic() - began
        told = await said(process)
    assert took < 5.0, told
    assert code == 0, told
    assert f"journal {state}/incidents.db" in " ".join(told.split())
    kept = [*state.glob("sentinel-*.db")]
    assert [path.stat().st_uid for path in kept] == [USER], "claims outlive its restart"
    assert "Traceback" not in told
    assert "has no home" not in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a first process")
async def test_told_to_end_before_it_watches_it_ends_though_it_is_the_first_process(
    tmp_path: Path,
) -> None:
    async with twirp(ListSIPInboundTrunk=[hang], ListSIPOutboundTrunk=[hang]) as livekit:
        process = await asyncio.create_subprocess_exec(
            *("unshare", "--pid", "--fork", "--kill-child"),
            *(sys.executable, "-m", "onhook.cli", "sentinel", "run", "--webhook", "127.0.0.1:0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                **os.environ,
                "ONHOOK_JOURNAL": str(tmp_path / "incidents.db"),
                "LIVEKIT_URL": livekit.credentials.url,
                "LIVEKIT_API_KEY": "key",
                "LIVEKIT_API_SECRET": livekit.credentials.secret,
            },
        )
        try:
            await until(lambda: bool(livekit.calls), START)
            (first,) = psutil.Process(process.pid).children()
            began = time.monotonic()
            first.terminate()
            async with asyncio.timeout(10.0):
                code = await process.wait()
            took = time.monotonic() - began
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    assert took < 2.0
    assert code == 128 + signal.SIGTERM, await said(process)


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.read()).decode()

"""The units: systemd reads them, finds them hardened, and what they name exists."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from livekit.agents import AgentServer

from tests.deploy.deploy_files import DEPLOY, accepted, known_variables

FOLDER = DEPLOY / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
EXPOSURE = 20
"""What `systemd-analyze security` may find, of 100; it calls up to 20 OK, and 96 are usual."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def values(text: str, name: str) -> list[str]:
    return re.findall(rf"^#?{name}=(.*)$", text, re.MULTILINE)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ("systemd-analyze", *arguments)
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def with_a_program_of_ours(name: str, folder: Path) -> Path:
    """Write a unit whose program is one that is installed here."""
    text = (FOLDER / name).read_text()
    onhook = str(Path(sys.executable).with_name("onhook"))
    unit = folder / name
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={onhook}", text, flags=re.MULTILINE))
    return unit


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    unit = with_a_program_of_ours(name, tmp_path)
    got = analyze("verify", "--man=no", str(unit))
    assert name not in got.stderr, got.stderr


@needs_systemd
def test_systemd_accepts_the_keys_of_a_rotation(tmp_path: Path) -> None:
    unit = with_a_program_of_ours("onhook-sentinel.service", tmp_path)
    text = re.sub(r"^#(\w+=)", r"\1", unit.read_text(), flags=re.MULTILINE)
    assert "\nLoadCredential=webhook-keys:" in text
    assert "\nEnvironment=ONHOOK_WEBHOOK_KEYS=%d/webhook-keys" in text
    unit.write_text(text)
    got = analyze("verify", "--man=no", str(unit))
    assert unit.name not in got.stderr, got.stderr


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_a_mistake_in_it_would_be_told(name: str, tmp_path: Path) -> None:
    unit = with_a_program_of_ours(name, tmp_path)
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSytem=strict"))
    assert "ProtectSytem" in analyze("verify", "--man=no", str(unit)).stderr


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_it_hardened(name: str, tmp_path: Path) -> None:
    unit = with_a_program_of_ours(name, tmp_path)
    got = analyze("security", "--offline=yes", f"--threshold={EXPOSURE}", "--no-pager", str(unit))
    assert got.returncode == 0, got.stdout


@pytest.mark.parametrize("name", UNITS)
def test_its_command_and_its_variables_are_onhooks(name: str) -> None:
    text = (FOLDER / name).read_text()
    (command,) = values(text, "ExecStart")
    assert accepted(command.split()) in ("sentinel run", "watchdog run")
    given = [each.partition("=")[0] for each in values(text, "Environment")]
    assert given
    assert set(given) <= known_variables()


def test_worker_and_watchdog_share_user_folders_and_socket() -> None:
    watchdog = (FOLDER / "onhook-watchdog.service").read_text()
    worker = (FOLDER / "onhook-agent.conf").read_text()
    shared = set(values(watchdog, "Environment"))
    drain = inspect.signature(AgentServer.__init__).parameters["drain_timeout"].default
    assert int(values(worker, "TimeoutStopSec")[0]) >= drain + 60
    assert shared == set(values(worker, "Environment")) - {"ONHOOK_WATCHDOG=external"}
    kept = {each.partition("=")[2] for each in shared}
    (writable,) = values(worker, "ReadWritePaths")
    for path in writable.split():
        folder = path.removeprefix("-")
        assert any(place.startswith(folder) for place in kept), folder
    for kind, where in (("Runtime", "/run"), ("State", "/var/lib"), ("Cache", "/var/cache")):
        (name,) = values(watchdog, f"{kind}Directory")
        assert f"-{where}/{name}" in writable.split()


def test_the_sentinels_files_are_where_systemd_lets_it_write() -> None:
    text = (FOLDER / "onhook-sentinel.service").read_text()
    places = dict(each.split("=") for each in values(text, "Environment"))
    assert values(text, "StateDirectory") == values(text, "CacheDirectory") == ["onhook"]
    assert Path(places["ONHOOK_JOURNAL"]).parent == Path("/var/lib/onhook")
    assert Path(places["ONHOOK_OUTAGES"]).parent == Path("/var/lib/onhook")
    assert places["XDG_CACHE_HOME"] == "/var/cache/onhook"
    assert float(values(text, "TimeoutStopSec")[0]) > 5

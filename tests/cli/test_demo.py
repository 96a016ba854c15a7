"""`onhook demo`: what it does to the folder that it is given; the calls are `make demo`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from onhook.cli import app


@pytest.fixture(autouse=True)
def livekits_log() -> Iterator[None]:
    """Give back the framework's log, which the command silences for its own process."""
    logger = logging.getLogger("livekit")
    level = logger.level
    yield
    logger.setLevel(level)


def demo(out: Path) -> Result:
    """Run it on a machine without the servers: it ends before any call."""
    nowhere = {"PATH": str(out.parent), "ONHOOK_BIN_DIR": str(out.parent), "COLUMNS": "80"}
    return CliRunner().invoke(app(), ["demo", "--out", str(out)], env=nowhere)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    (out / "logs").mkdir(parents=True)
    return out


def test_it_removes_what_it_left_before_and_nothing_else(out: Path) -> None:
    theirs = [out / "thesis.txt", out / "1-song.wav", out / "logs" / "server.log"]
    ours = [out / "1-unguarded.wav", out / "4-onhook-colleague.wav", out / "logs" / "agent.log"]
    ours += [out / "logs" / "onhook + colleague.fault"]
    for file in theirs + ours:
        file.write_text("")
    result = demo(out)
    assert result.exit_code == 1
    assert "redis-server was not found" in result.stdout
    assert all(file.exists() for file in theirs)
    assert not any(file.exists() for file in ours)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = demo(tmp_path / "file")
    assert result.exit_code == 1
    assert "give a folder of yours" in " ".join(result.stdout.split())
    assert isinstance(result.exception, SystemExit)

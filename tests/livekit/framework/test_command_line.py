"""What breaks when the framework starts workers in another way: the demo, and every example."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from onhook.livekit.framework.command_line import start_command
from onhook.livekit.framework.versions import framework_version

AGENT = "onhook.bench.demo.demo_agent"
EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[3] / "examples").glob("*.py")
    if "AgentServer" in path.read_text()  # an agent's
)


def test_the_way_is_that_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = "onhook.livekit.framework.command_line.framework_version"
    monkeypatch.setattr(versions, lambda: "1.5.17")
    assert start_command(AGENT) == [sys.executable, "-m", AGENT, "start"]
    monkeypatch.setattr(versions, lambda: "1.9.0")
    *way, path = start_command(AGENT)
    assert way == [sys.executable, "-m", "livekit.agents", "start"]
    assert Path(path).name == "demo_agent.py"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_framework_finds_the_server_of_an_example(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if framework_version().startswith("1.5."):
        pytest.skip("this version of livekit-agents starts no server by its file")
    monkeypatch.setattr(sys, "path", list(sys.path))
    discover: Any = importlib.import_module("livekit.agents.cli.discover")
    assert discover.get_import_data(path=path).app_name == "server"

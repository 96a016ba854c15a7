"""What README.md shows, runs; and what the examples show, loads."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import onhook
from onhook.cli import app
from onhook.jobguard import Guarded
from onhook.sentinel import SentinelApp
from onhook.sentinel.plans import CallKey, built_ladder, tags_of
from onhook.sentinel.plans_parser import parse

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def with_a_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_file(files("onhook") / "prompts" / "apology.wav") as prompt:
        shutil.copy(prompt, tmp_path / "sorry.wav")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("with_a_wav")
def test_the_snippets_of_the_guard_run() -> None:
    names: dict[str, Any] = {"__name__": "snippet"}
    exec(BLOCKS[0], names)  # noqa: S102 - our own README
    assert isinstance(names["entrypoint"], Guarded)
    exec(BLOCKS[1], names)  # noqa: S102
    assert isinstance(names["entrypoint"], Guarded)


def test_the_snippets_of_the_conversation_and_the_phone_are_python() -> None:
    compile(BLOCKS[2], "README.md", "exec")
    inside = "\n".join(f"    {line}" for line in BLOCKS[3].splitlines())
    compile(f"async def snippet():\n{inside}", "README.md", "exec")
    assert len(BLOCKS) == 4


def test_the_plans_are_read_and_mean_what_is_said() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    plans = parse(text, name="README.md", folder=ROOT)
    assert plans.default.fallback == "tel:+15550123"
    reception = plans.for_call(CallKey(room="night-1", number="+15550101", trunk="ST_EastCoast"))
    assert (reception.limits.absent, reception.limits.max_call) == (6, 7200)
    assert reception.ladder == built_ladder("sip:reception@pbx.example.com")
    night = plans.for_call(CallKey(room="night-1", trunk="ST_EastCoast"))
    assert [rung.name for rung in night.ladder.rungs] == [
        "say",
        "redispatch",
        "transfer",
        "hang_up",
    ]
    conference = plans.for_call(CallKey(room="r", tags=tags_of('{"tags": ["conference"]}')))
    assert conference.limits.absent is conference.second_dispatch is None


def test_the_commands_of_an_outage_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHOOK_OUTAGES", str(tmp_path / "outages.json"))
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^onhook (sentinel outage .*?)(?: +#.*)?$", text, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert CliRunner().invoke(app(), shlex.split(command)).exit_code == 0


EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_load_and_are_guarded(name: str) -> None:
    loaded = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
    assert any(isinstance(value, Guarded | SentinelApp) for value in loaded.values())


def test_every_public_name_is_there() -> None:
    for name in onhook.__all__:
        assert getattr(onhook, name) is not None
    assert set(dir(onhook)) == set(onhook.__all__)
    with pytest.raises(AttributeError, match="no attribute 'gaurd'"):
        onhook.gaurd  # noqa: B018

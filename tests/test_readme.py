"""What README.md shows, runs; and what the examples show, loads."""

from __future__ import annotations

import re
import runpy
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

import onhook
from onhook.jobguard import Guarded

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


EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_load_and_are_guarded(name: str) -> None:
    loaded = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
    assert any(isinstance(value, Guarded) for value in loaded.values())


def test_every_public_name_is_there() -> None:
    for name in onhook.__all__:
        assert getattr(onhook, name) is not None
    assert set(dir(onhook)) == set(onhook.__all__)
    with pytest.raises(AttributeError, match="no attribute 'gaurd'"):
        onhook.gaurd  # noqa: B018

"""The files of deploy/, and whether what they say exists: commands, variables, addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml  # type: ignore[import-untyped]

from onhook import settings
from onhook.cli import app

__all__ = [
    "DEPLOY",
    "ROOT",
    "accepted",
    "container_settings",
    "documents",
    "instructions",
    "known_variables",
]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the YAML documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def accepted(command: Sequence[str]) -> str:
    """Return the name of the command that this is; raise where onhook's CLI would refuse it.

    It is parsed by the CLI itself, and not run.
    """
    program, *arguments = command
    assert Path(program).name == "onhook", command
    found = typer.main.get_command(app())
    context = found.make_context("onhook", list(arguments), resilient_parsing=True)
    names = []
    while hasattr(found, "resolve_command"):
        name, inner, arguments = found.resolve_command(context, list(arguments))
        assert inner is not None, command
        assert name is not None, command
        names.append(name)
        found = inner
    found.make_context(names[-1], list(arguments), parent=context)
    return " ".join(names)


def known_variables() -> set[str]:
    """Return the variables that onhook reads."""
    own = {value for name, value in vars(settings).items() if name.isupper()}
    read = {name for name in own if isinstance(name, str) and name.startswith("ONHOOK_")}
    livekit = {"LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"}
    return read | livekit | {"XDG_CACHE_HOME"}


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file, with their lines joined."""
    text = (DEPLOY / "container" / "Containerfile").read_text()
    plain = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in plain.splitlines() if line.strip())
    return [(name, rest) for name, rest in pairs]


def container_settings() -> Mapping[str, str]:
    """Return the variables that the last stage of the container file sets."""
    last = max(i for i, (name, _) in enumerate(instructions()) if name == "FROM")
    env = [rest for name, rest in instructions()[last:] if name == "ENV"]
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(env)))

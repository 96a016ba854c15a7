"""An agent's file, from its text to its findings."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onhook.doctor.findings import Finding, Level
from onhook.doctor.host import Words
from onhook.doctor.source.blocking import judge_blocking
from onhook.doctor.source.clients import judge_clients
from onhook.doctor.source.entrypoints import agent_names, entrypoints, judge_entrypoints
from onhook.doctor.source.kinds import UNREADABLE
from onhook.doctor.source.lifecycle import judge_lifecycle
from onhook.doctor.source.names import Source
from onhook.doctor.source.swallowed import judge_handlers
from onhook.errors import ConfigurationError

__all__ = ["AgentFile", "judge_file", "judge_text"]

_LARGEST = 2_000_000
"""Bytes of a file."""
_JUDGES: Sequence[Callable[[Source], Iterator[Finding]]] = (
    judge_entrypoints,
    judge_lifecycle,
    judge_blocking,
    judge_handlers,
    judge_clients,
)


@dataclass(frozen=True, slots=True)
class AgentFile:
    """What a file tells.

    Args:
        findings: What is wrong in it, by line.
        names: The names that it registers agents under.
        registers: Whether it registers any entrypoint.
        unnamed: Where it registers one without a name.
        words: What its policies want said without a recording.
    """

    findings: Sequence[Finding] = ()
    names: Sequence[str] = ()
    registers: bool = False
    unnamed: Sequence[str] = ()
    words: Sequence[Words] = ()


def judge_file(path: Path) -> AgentFile:
    """Judge a file. It is parsed, and never run.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {str(path)!r} ({error.strerror}): give the file of an agent"
        ) from error
    if len(data) > _LARGEST:
        raise ConfigurationError(f"{str(path)!r} is larger than {_LARGEST} bytes: no agent's file")
    return judge_text(str(path), data)


def judge_text(name: str, text: str | bytes) -> AgentFile:
    """Judge a file's text.

    Args:
        name: The file, for people.
        text: Its text, or its bytes, which say themselves how they are encoded.
    """
    try:
        source = Source(name, text)
    except SyntaxError as error:
        place = f"{name}:{error.lineno or 1}"
        return AgentFile((UNREADABLE.found(place, f"{error.msg}"),))
    except (ValueError, RecursionError) as error:
        return AgentFile((UNREADABLE.found(name, str(error)),))
    found = [found for judge in _JUDGES for found in judge(source)]
    found.sort(key=lambda each: int(each.subject.rpartition(":")[2]))
    every = entrypoints(source)
    return AgentFile(
        tuple(found),
        agent_names(source),
        registers=bool(every),
        unnamed=tuple(source.place(each.node) for each in every if not each.named),
        words=tuple(_words(source)),
    )


def _words(source: Source) -> Iterator[Words]:
    """Yield the words of `onhook.Say("...")` that have neither a recording nor a voice."""
    for node in source.nodes(ast.Call):
        if not isinstance(node, ast.Call) or source.resolve(node.func) != "onhook.Say":
            continue
        given = {each.arg: each.value for each in node.keywords}
        text = node.args[0] if node.args else given.get("text")
        known = isinstance(text, ast.Constant) and isinstance(text.value, str)
        if known and "audio" not in given and "tts" not in given:
            yield Words(str(text.value), source.place(node), Level.NOTE)  # type: ignore[union-attr]

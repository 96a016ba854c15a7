"""On which line of a TOML file something stands; `tomllib` forgets it."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, InlineTable, Item

__all__ = ["Path", "line_of_error", "lines_of"]

Path: TypeAlias = tuple[str | int, ...]

_AT = re.compile(r"\(at line (\d+), column \d+\)$")


def lines_of(text: str, paths: Iterable[Path]) -> dict[Path, int]:
    """Return the lines of what stands at some paths, or of the nearest table around it.

    tomlkit keeps a document as it was written, but no positions: what is looked for is marked in
    a copy, and the marks are looked for in what that copy writes.

    Args:
        text: A document that `tomllib` reads.
        paths: Keys, and places in arrays.

    Returns:
        The lines, from 1 on; 0 where tomlkit does not read the document.
    """
    found = dict.fromkeys(paths, 0)
    sought = {path: path for path in found}
    while sought:
        marks = {path: f"#{uuid.uuid4().hex}#" for path in sought}
        try:
            document = tomlkit.parse(text)
        except (TOMLKitError, RecursionError):
            return found
        for path, mark in marks.items():
            with contextlib.suppress(
                LookupError, TypeError, AttributeError, ValueError, StopIteration
            ):
                _mark(document, sought[path], mark)
        written = document.as_string()
        for path, mark in marks.items():
            at = written.find(mark)
            if at >= 0:
                found[path] = written.count("\n", 0, at) + 1
            elif not sought[path]:
                found[path] = 1
            sought[path] = sought[path][:-1]
        sought = {path: shorter for path, shorter in sought.items() if not found[path]}
    return found


def line_of_error(text: str, error: Exception) -> int:
    """Return the line that an error of `tomllib` names; the last one for the document's end."""
    found = _AT.search(str(error))
    return int(found[1]) if found else text.rstrip("\n").count("\n") + 1


def _mark(document: Any, path: Path, mark: str) -> None:
    parent: Any = None
    at = document
    for step in path:
        parent, at = at, at[step]
    in_array = isinstance(parent, Array) and not isinstance(at, InlineTable | Array)
    if in_array or isinstance(at, bool):  # a bool is handed out bare
        parent[path[-1]] = mark
        return
    while _has_no_line(parent, at):
        parent, at = at, _first(at)
    at.trivia.indent = f"{mark}{at.trivia.indent}"


def _has_no_line(parent: Any, at: Any) -> bool:
    """Return whether only what is in it can be marked; `a.b = 1` implies a table `a`."""
    implied = getattr(at, "is_super_table", None)
    return (
        isinstance(parent, Array)
        or not isinstance(at, Item)
        or isinstance(at, AoT)
        or (implied is not None and bool(implied()))
    )


def _first(container: Any) -> Any:
    return next(iter(container.values())) if isinstance(container, Mapping) else container[0]

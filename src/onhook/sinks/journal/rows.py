"""Entries as rows of a table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from onhook.redaction import masked
from onhook.rescue.events import Ring
from onhook.sinks.journal.entries import Entry, Opening, Step

__all__ = ["from_row", "to_row"]

_LONGEST_TEXT = 4_000
"""Characters of one field; a traceback has a bound of its own."""


def to_row(entry: Entry) -> tuple[object, ...]:
    """Return an entry's values: without secrets, bounded, and such as a file can hold."""
    opening = entry.opening
    if opening is not None:
        opening = replace(
            opening,
            room=_clip(opening.room),
            traceback=_storable(masked(opening.traceback)),
            evidence={_clip(key): _clip(value) for key, value in opening.evidence.items()},
        )
    return (
        entry.step.value,
        entry.at,
        _clip(entry.subject),
        str(entry.result),
        _clip(entry.detail),
        entry.wall,
        entry.ring.value,
        None if opening is None else json.dumps(asdict(opening)),
    )


def from_row(row: Sequence[Any]) -> Entry:
    """Return the entry of an incident's id and an entry's values.

    Raises:
        TypeError: The row holds something else.
        ValueError: The row holds something else.
    """
    incident, step, at, subject, result, detail, wall, ring, opening = row
    return Entry(
        incident,
        Step(step),
        at,
        subject,
        result,
        detail,
        wall=wall,
        ring=Ring(ring),
        opening=Opening(**json.loads(opening)) if opening else None,
    )


def _clip(text: str) -> str:
    text = _storable(masked(text))
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()

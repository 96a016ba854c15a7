"""Entries as rows of a table, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from onhook.redaction import bounded
from onhook.rescue.events import Ring
from onhook.sinks.journal.entries import Entry, Opening, Step

__all__ = ["from_row", "to_row"]

_LONGEST_TRACEBACK = 16_000


def to_row(entry: Entry) -> tuple[object, ...]:
    """Return an entry's values: without secrets, bounded, and such as a file can hold."""
    opening = entry.opening
    if opening is not None:
        opening = replace(
            opening,
            room=bounded(opening.room),
            traceback=bounded(opening.traceback, _LONGEST_TRACEBACK),
            evidence={bounded(key): bounded(value) for key, value in opening.evidence.items()},
        )
    return (
        entry.step.value,
        entry.at,
        bounded(entry.subject),
        str(entry.result),
        bounded(entry.detail),
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

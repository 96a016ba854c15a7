"""A timeline as a picture: where its parts stand. The template draws them as SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from onhook.sentinel.web.heard import Heard

__all__ = ["Bar", "Mark", "Picture", "picture"]

_WIDTH = 100.0
_LEAST = 0.6
"""Per cent that even the shortest part is wide, so that it is seen."""
_LETTER = 0.9
"""Per cent that a letter takes on a wide screen; a longer name is in the list below alone."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)
_MOST_MARKS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One part.

    Args:
        part: What it shows.
        x: Its left edge, in per cent.
        width: Likewise.
        named: Whether its name has room in it.
    """

    part: Heard
    x: float
    width: float
    named: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A time below the parts.

    Args:
        x: Where, in per cent.
        text: The time, in seconds after the judgement.
    """

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A timeline.

    Args:
        bars: Its parts.
        marks: The times below them.
        judged: Where the judgement stands, in per cent; `None` where it is outside.
    """

    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    judged: float | None


def picture(parts: Sequence[Heard]) -> Picture | None:
    """Return where the parts of a timeline stand; `None` for no parts.

    Args:
        parts: What was heard, in order.
    """
    if not parts:
        return None
    first, last = parts[0].start, parts[-1].end
    scale = (_WIDTH - _LEAST * len(parts)) / (last - first)
    bars, x = [], 0.0
    edges = []
    for part in parts:
        width = _LEAST + (part.end - part.start) * scale
        bars.append(Bar(part, round(x, 2), round(width, 2), len(part.sound) * _LETTER < width))
        edges.append((part.start, x))
        x += width
    edges.append((last, x))
    step = next((s for s in _STEPS if (last - first) / s <= _MOST_MARKS), _STEPS[-1])
    times = [n * step for n in range(math.ceil(first / step), math.floor(last / step) + 1)]
    marks = tuple(Mark(_at(edges, at), _text(at)) for at in times[: 4 * _MOST_MARKS])
    return Picture(tuple(bars), marks, _at(edges, 0.0) if first <= 0 <= last else None)


def _at(edges: Sequence[tuple[float, float]], at: float) -> float:
    """Return where a time stands, between the edges of its part."""
    before = max((edge for edge in edges if edge[0] <= at), default=edges[0])
    after = min((edge for edge in edges if edge[0] > at), default=edges[-1])
    span = after[0] - before[0]
    share = (at - before[0]) / span if span > 0 else 0.0
    return round(before[1] + share * (after[1] - before[1]), 2)


def _text(at: float) -> str:
    sign = "\N{MINUS SIGN}" if at < 0 else ""
    whole = abs(int(at))
    return f"{sign}{whole // 60}:{whole % 60:02d}" if whole >= 120 else f"{sign}{whole} s"

"""The demonstration on a terminal: a table, and a small picture of each call's audio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from onhook.bench.demo.demo_result import DemoResult
from onhook.bench.phone.codec import RATE, Samples

__all__ = ["picture", "show", "table"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_SILENCE = "·"
_QUIET, _LOUD = -50.0, -12.0
"""dBFS at which the lowest and the highest block begin."""
_WIDTH = 72


def table(stories: Sequence[DemoResult]) -> Table:
    """Return the table of what the callers heard."""
    grid = Table(title="The agent fails 3 s into the call. What does its caller hear?")
    grid.add_column("guard")
    grid.add_column("fault\nraised at", justify="right")
    for heading in ("answered\nafter", "silence\nheard", "rescue\nafter", "released\nafter"):
        grid.add_column(heading, justify="right")
    for story in stories:
        grid.add_row(
            story.name,
            f"{story.fails_after:.1f} s",
            f"{story.answered_after:.2f} s",
            f"{story.silence:.1f} s",
            "none" if story.rescue_after is None else f"{story.rescue_after:.2f} s",
            "never" if story.released_after is None else f"{story.released_after:.2f} s",
        )
    grid.caption = "entrypoint.raised; times run from it, measured at the caller's phone"
    return grid


def picture(story: DemoResult, scale: float) -> RenderableType:
    """Return a call's audio as blocks.

    Args:
        story: The call.
        scale: Seconds a column.
    """
    heard = story.heard
    begin, end = heard.hearing.begin, heard.ended_at
    levels = _levels(heard.audio, scale)
    fault = round((story.fault_at - begin) / scale)
    marks = Text(" " * fault + "▼ the agent fails")
    line = Text()
    for place, level in enumerate(levels):
        style = "green" if place < fault else "cyan"
        if level < _QUIET:
            line.append(_SILENCE, style="dim" if place < fault else "red")
        else:
            step = (level - _QUIET) / (_LOUD - _QUIET)
            line.append(_BLOCKS[min(len(_BLOCKS) - 1, int(step * len(_BLOCKS)))], style=style)
    line.append("✗ caller gives up" if heard.hung_up else "▏released", style="bold")
    title = f"{story.name}: {end - begin:.1f} s" + (f", {story.note}" if story.note else "")
    return Group(Text(title, style="bold"), marks, line, Text(""))


def show(console: Console, stories: Sequence[DemoResult], *, real: bool) -> None:
    """Print everything."""
    if not real:
        console.print(
            "livekit-sip is not here, so the caller was a SIP-kind participant and no phone call."
        )
    longest = max(s.heard.ended_at - s.heard.hearing.begin for s in stories)
    scale = longest / (_WIDTH - 18)
    console.print(table(stories))
    for story in stories:
        console.print(picture(story, scale))


def _levels(audio: Samples, scale: float) -> list[float]:
    size = max(1, round(scale * RATE))
    levels = []
    for start in range(0, len(audio), size):
        piece = audio[start : start + size].astype(np.float64) / 32768
        power = float((piece**2).mean())
        levels.append(10 * float(np.log10(power)) if power > 0 else -100.0)
    return levels

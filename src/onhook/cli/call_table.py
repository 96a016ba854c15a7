"""What `onhook call` prints: a line while the call lasts, and the timeline after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from onhook.bench.phone import Report

__all__ = ["show", "state"]

_FLOOR, _BAR = -60.0, 12
"""dBFS of an empty bar, and the width of a full one."""


def state(report: Report) -> str:
    """Return the line that is shown while the call lasts."""
    if report.answered_at is None:
        state = "ringing" if report.ringing_at else "dialling"
    else:
        last = report.hearing.stretches[-1:]
        sound = f"hearing {last[0].level:.0f} dBFS" if last and last[0].audible else "silence"
        state = f"{report.hearing.end - report.answered_at:.0f} s, {sound}"
    return f"{report.number}: {state}"


def show(console: Console, report: Report, save: Path | None) -> None:
    """Print the report, no wider than 80 columns."""
    console.print(_timeline(report))
    hearing, packets = report.hearing, report.packets
    if report.answered:
        sound = sum(s.seconds for s in hearing.sounds)
        console.print(
            f"Heard {sound:.2f} s of sound and {hearing.silent_seconds:.2f} s of silence, "
            f"the longest {hearing.longest_silence():.2f} s."
        )
    console.print(
        f"Packets: {packets.received} received, {packets.lost} lost, {packets.sent} sent."
    )
    if save is not None:
        console.print(f"Saved {save}", soft_wrap=True, markup=False)


def _timeline(report: Report) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    direction = "Call to" if report.outgoing else "Call from"
    table = Table(title=Text(f"{direction} {report.number}"), title_justify="left", box=None)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("dBFS", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=_BAR)
    rows: list[tuple[float, tuple[str, str, str, str]]] = [
        (s.start, ("sound" if s.audible else "silence", f"{s.seconds:.2f} s", *_level(s.level)))
        for s in report.hearing.stretches
    ]
    rows += [(digit.at, (f"key {digit.digit}", "", "", "")) for digit in report.digits]
    rows += [(r.at, (f"REFER to {r.to}: {r.status}", "", "", "")) for r in report.refers]
    steps = (
        (report.invited_at, "invited"),
        (report.ringing_at, "ringing"),
        (report.answered_at, "answered"),
        (report.ended_at, _ending(report)),
    )
    rows += [(at, (what, "", "", "")) for at, what in steps if at is not None]
    rows.sort(key=lambda row: row[0])
    for at, cells in rows:
        table.add_row(f"{at - report.invited_at:.2f} s", *(Text(cell) for cell in cells))
    return table


def _ending(report: Report) -> str:
    reason = "" if report.answered and report.reason == "OK" else f" ({report.reason})"
    return f"{report.how}{reason if report.reason else ''}"


def _level(level: float) -> tuple[str, str]:
    filled = round(_BAR * max(0.0, 1 - level / _FLOOR))
    return f"{level:.0f}", "█" * filled

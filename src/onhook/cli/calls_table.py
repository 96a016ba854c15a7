"""What `onhook sentinel calls` prints, in 80 columns and more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onhook.call import Direction
from onhook.cli.incidents_table import printable
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.record_sums import RecordSum

__all__ = ["show_calls", "show_sums"]

_NUMBER, _AGENT = 14, 13
"""Characters that are shown."""
_WAYS = {Direction.INBOUND: "in", Direction.OUTBOUND: "out", Direction.UNKNOWN: "?"}


def show_calls(console: Console, records: Sequence[CallRecord], mask: NumberMask) -> None:
    """Print one line for each call, the newest first.

    Args:
        console: Where to.
        records: The calls.
        mask: How numbers are shown.
    """
    if not records:
        console.print("no call has ended in this time")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("ended", "", "number", "agent"):
        table.add_column(name, no_wrap=True)
    for name in ("talk", "by", "silent"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fault", overflow="fold")
    for record in records:
        table.add_row(
            f"{dt.datetime.fromtimestamp(record.ended_at).astimezone():%m-%d %H:%M}",
            _WAYS[record.direction],
            _short(mask.number(record.number), _NUMBER),
            _short(record.agent, _AGENT),
            _talk(record),
            str(record.ended_by),
            f"{record.silent:.1f} s" if record.silent else "",
            Text(_fault(record)),
        )
    console.print(table)


def show_sums(
    console: Console,
    span: str,
    by: str,
    rows: Sequence[RecordSum],
    key: Callable[[str], str],
) -> None:
    """Print what the calls of a time sum up to.

    Args:
        console: Where to.
        span: The time, such as `24h`.
        by: What each row is.
        rows: The sums.
        key: Returns a row's key as it may be shown.
    """
    if not rows:
        return
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{by}, last {span}", no_wrap=True, overflow="ellipsis")
    for name in ("calls", "silent", "rate", "dead air", "saved"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(printable(key(row.key)) or "-"),
            str(row.calls),
            str(row.silent_calls),
            f"{row.silent_rate:.1%}",
            f"{row.dead_seconds:.1f} s",
            str(row.rescued),
        )
    console.print(table)


def _short(text: str, longest: int) -> Text:
    shown = printable(text) or "-"
    return Text(shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


def _talk(record: CallRecord) -> str:
    """Return how long the call lasted since its answer; one that never was answered rang."""
    if record.answered_at is None:
        return "rang"
    minutes, seconds = divmod(round(record.ended_at - record.answered_at), 60)
    return f"{minutes}:{seconds:02}"


def _fault(record: CallRecord) -> str:
    if not record.fault:
        return ""
    return printable(f"{record.fault} ({record.outcome or 'under way'})")

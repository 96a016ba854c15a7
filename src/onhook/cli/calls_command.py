"""`onhook sentinel calls`: the calls that have ended, who ended them, and what was silent."""

from __future__ import annotations

import contextlib
import enum
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from onhook import settings
from onhook.cli.calls_table import show_calls, show_sums
from onhook.cli.durations import seconds_of
from onhook.errors import OnhookError
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.record_store import RecordStore

if TYPE_CHECKING:
    from onhook.sentinel.records.call_record import CallRecord
    from onhook.sentinel.records.record_sums import RecordSum

__all__ = ["calls"]

_MONTH = 30 * 86_400.0


class By(enum.StrEnum):
    """What sums are by."""

    NUMBER = "number"
    AGENT = "agent"


def calls(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Calls that ended since: 30m, 24h, 7d.")
    ] = "24h",
    by: Annotated[By, typer.Option(help="Sum up by number or by agent.")] = By.NUMBER,
    limit: Annotated[int, typer.Option(min=1, help="How many calls are shown.")] = 20,
    records: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file of call records; else $ONHOOK_RECORDS."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the calls that have ended on this host's sentinel, and their sums.

    Numbers are masked unless ONHOOK_NUMBERS=whole. A silent call is one whose caller had dead air
    because something had gone wrong, or rang where no agent was; a saved one went wrong, and
    onhook brought its caller to words, a colleague, another agent, or back to the agent.
    """
    now = time.time()
    try:
        mask = NumberMask.from_env()
        path = records or settings.records()
        if path is None:
            _fail("there is no folder for call records: set ONHOOK_RECORDS")
        with contextlib.closing(RecordStore(path)) as store:
            begin = now - seconds_of("--since", since)
            found = store.since(begin, limit)
            sums = {since: store.sums(begin, by.value), "30d": store.sums(now - _MONTH, by.value)}
    except OnhookError as error:
        _fail(str(error))
    if as_json:
        typer.echo(json.dumps(_json(found, sums, by, mask), indent=1))
        return
    console = Console(highlight=False)
    show_calls(console, found, mask)
    for span, rows in sums.items():
        show_sums(console, span, by.value, rows, _key(by, mask))


def _json(
    records: Sequence[CallRecord],
    sums: dict[str, Sequence[RecordSum]],
    by: By,
    mask: NumberMask,
) -> dict[str, Any]:
    key = _key(by, mask)
    return {
        "calls": [{**record.to_json(), "number": mask.number(record.number)} for record in records],
        "sums": {
            span: [
                {
                    by.value: key(row.key),
                    "calls": row.calls,
                    "silent_calls": row.silent_calls,
                    "silent_rate": round(row.silent_rate, 4),
                    "dead_seconds": round(row.dead_seconds, 3),
                    "rescued": row.rescued,
                }
                for row in rows
            ]
            for span, rows in sums.items()
        },
    }


def _key(by: By, mask: NumberMask) -> Callable[[str], str]:
    return mask.number if by is By.NUMBER else str


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook sentinel calls: {message}", err=True)
    raise typer.Exit(2)

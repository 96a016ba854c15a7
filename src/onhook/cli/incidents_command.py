"""`onhook incidents`: what happened, read from the journal."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from onhook.cli.incidents_table import entry_line, show_case, show_explanation, show_list
from onhook.errors import JournalError
from onhook.sinks.journal.case_file import Case, line
from onhook.sinks.journal.incident_explanation import explained, observed_in_words
from onhook.sinks.journal.sqlite import SqliteJournal

__all__ = ["app"]

app = typer.Typer(
    help="What happened to callers, and what was done: read from the journal.",
    no_args_is_help=True,
)

_DAYS = 7
"""Days over which is summed up what was only observed."""
_POLL = 0.25
"""Seconds between looks for new entries; SQLite tells nobody of a write in another process."""

JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="The journal; else $ONHOOK_JOURNAL, else the one in the user's state folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("list")
def list_(
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many, the newest first.")
    ] = 20,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Print every step as it is recorded, until Ctrl-C."),
    ] = False,
    as_json: AsJson = False,
    journal: JournalFile = None,
) -> None:
    """List the newest incidents. With --follow, their last N steps and all that come."""
    with _opened(journal) as kept:
        if follow:
            _follow(kept, limit, as_json=as_json)
        cases = [Case(found) for i in kept.incidents(limit) if (found := kept.entries(i))]
        week = kept.observed(time.time() - _DAYS * 86_400)
        observed = [Case(found) for i in week if (found := kept.entries(i))]
    if as_json:
        typer.echo(json.dumps([case.summary() for case in cases], indent=1))
    elif cases:
        console = Console(highlight=False)
        show_list(console, cases)
        if summary := observed_in_words(observed, _DAYS):
            console.print(f"\n{summary}")
    else:
        typer.echo(_nothing(kept))


@app.command()
def show(
    incident: Annotated[str, typer.Argument(help="Its id; the beginning is enough.")],
    *,
    as_json: AsJson = False,
    journal: JournalFile = None,
) -> None:
    """Tell all of one incident: what failed, the evidence, and what was done when.

    Exits 1 when there is no such incident, or more than one.
    """
    with _opened(journal) as kept:
        case = Case(kept.entries(_the_one(kept, incident)))
    if as_json:
        typer.echo(json.dumps(case.whole(), indent=1))
    else:
        show_case(Console(highlight=False), case)


@app.command()
def explain(
    incident: Annotated[str, typer.Argument(help="Its id; the beginning is enough.")],
    *,
    journal: JournalFile = None,
) -> None:
    """Tell in plain sentences why something was judged a fault, and what was done.

    Which evidence was seen when, which rule and limit counted, and which setting would change it.
    """
    with _opened(journal) as kept:
        case = Case(kept.entries(_the_one(kept, incident)))
    show_explanation(Console(highlight=False), case, explained(case))


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[SqliteJournal]:
    try:
        with contextlib.closing(SqliteJournal(path)) as kept:
            yield kept
    except JournalError as error:
        _fail(str(error))


def _the_one(kept: SqliteJournal, wanted: str) -> str:
    found = kept.matching(wanted) if wanted else ()
    if wanted in found:
        return wanted
    if not kept.incidents(1):
        _fail(_nothing(kept))
    if not found:
        _fail(f"no incident {wanted!r} is in {kept.path}; `onhook incidents list` lists the newest")
    if len(found) > 1:
        some = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        _fail(f"{len(found)} incidents begin with {wanted!r} ({some}): give more of the id")
    return found[0]


def _nothing(kept: SqliteJournal) -> str:
    where = f"in {kept.path}" if kept.path.exists() else f"yet: there is no file {kept.path}"
    return f"no incident is recorded {where}"


def _follow(kept: SqliteJournal, limit: int, *, as_json: bool) -> NoReturn:
    position = -limit
    try:
        while True:
            position, found = kept.since(position)
            for entry in found:
                whole = {"incident": entry.incident, **line(entry)}
                typer.echo(json.dumps(whole) if as_json else entry_line(entry))
            if not found:
                time.sleep(_POLL)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook incidents: {message}", err=True)
    raise typer.Exit(1)

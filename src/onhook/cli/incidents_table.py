"""What `onhook incidents` prints, in 80 columns and more."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onhook.sinks.journal import Entry, Step
from onhook.sinks.journal.case_file import Case
from onhook.sinks.journal.incident_explanation import Section

__all__ = ["entry_line", "printable", "show_case", "show_explanation", "show_list"]

_SHORT_ID = 12
"""Characters of an id that tell incidents apart; a wide terminal has room for all of it."""
_WIDE = 100
_TIME = re.compile(r" *[\d.]+ s +")
_GOOD = ("released", "transferred", "recovered", "taken_over", "kept")


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: callers choose their names."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def show_list(console: Console, cases: Sequence[Case]) -> None:
    """Print one line for each incident, the newest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("when", "incident", "fault", "ending"):
        table.add_column(name, no_wrap=True)
    table.add_column("room", overflow="fold")
    for case in cases:
        table.add_row(
            f"{_local(case.first):%m-%d %H:%M:%S}",
            case.id if console.width >= _WIDE else case.id[:_SHORT_ID],
            printable(case.fault or "unknown"),
            _ending(case),
            Text(printable(case.opening.room)),
        )
    console.print(table)


def show_case(console: Console, case: Case) -> None:
    """Print everything about one incident."""
    console.print(Text(f"{case.id}  {case.fault}", style="bold"))
    if case.fault:
        console.print(Text(printable(case.first.detail)))
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True, style="dim")
    facts.add_column(overflow="fold")
    for name, value in _facts(case):
        facts.add_row(printable(name), value)
    console.print(facts)
    console.print()
    console.print(_timeline(case))
    if case.opening.traceback:
        console.print()
        console.print(Text(printable(case.opening.traceback.rstrip())), soft_wrap=True)


def show_explanation(console: Console, case: Case, sections: Iterable[Section]) -> None:
    """Print why an incident was judged as it was."""
    console.print(Text(f"{case.id}  {_local(case.first):%Y-%m-%d %H:%M:%S}", style="bold"))
    for heading, lines in sections:
        console.print()
        console.print(Text(printable(heading), style="bold"))
        for told in lines:
            console.print(Text(_hanging(printable(told), console.width)))


def _hanging(text: str, width: int) -> str:
    """Wrap a line below its own beginning; below its words where it begins with a time."""
    time = _TIME.match(text)
    indent = " " * (2 + (len(time.group()) if time else 0))
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent=indent)


def entry_line(entry: Entry) -> str:
    """Return one step as a line of its own, for `--follow`."""
    room = f" (room {entry.opening.room})" if entry.opening else ""
    how = " ".join(filter(None, (entry.subject, entry.result)))
    detail = f": {entry.detail}" if entry.detail else ""
    clock = f"{_local(entry):%H:%M:%S.%f}"[:-3]
    told = f"{clock} {entry.incident} {entry.ring} {entry.step} {how}{room}{detail}"
    return printable(told.replace("\n", " "))


def _facts(case: Case) -> Iterator[tuple[str, Text]]:
    opening, seconds = case.opening, case.seconds
    ending = _ending(case)
    if case.closed and seconds is not None:
        ending.append(f" after {seconds:.2f} s: {printable(case.closed.detail)}", style="default")
    yield "when", Text(f"{_local(case.first):%Y-%m-%d %H:%M:%S %z}")
    yield "ending", ending
    plain = {
        "room": opening.room,
        "job": opening.job,
        "call": " ".join(filter(None, (opening.call_id, f"({opening.direction})"))),
        "severity": opening.severity,
        "ring": ", ".join(case.rings),
    }
    for name, value in (*plain.items(), *opening.evidence.items()):
        if value:
            yield name, Text(printable(value))


def _timeline(case: Case) -> Table:
    several = len(case.rings) > 1
    table = Table(box=None, pad_edge=False)
    table.add_column("after", justify="right", no_wrap=True)
    if several:
        table.add_column("by", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("how", no_wrap=True)
    table.add_column("", overflow="fold")
    for entry in case.entries:
        what, how, detail = _words(entry)
        cells = [f"{case.after(entry):.3f} s", *([str(entry.ring)] if several else [])]
        table.add_row(*cells, printable(what), how, Text(printable(detail)))
    return table


def _words(entry: Entry) -> tuple[str, Text, str]:
    if entry.step is Step.OPENED:
        return "opened", Text(), entry.subject
    if entry.step is Step.CLOSED:
        return "closed", _judged(entry.subject), entry.detail
    if entry.step is Step.RESUMED:
        return entry.subject, Text("taken over", style="yellow"), entry.detail
    if entry.step is Step.INTENT:
        return entry.subject, Text("begins", style="dim"), entry.detail
    good = entry.result == "done"
    return (
        entry.subject,
        Text(printable(entry.result), style="green" if good else "red"),
        entry.detail,
    )


def _ending(case: Case) -> Text:
    if case.ending:
        return _judged(case.ending)
    observed = "observed, " if case.opening.mode == "observe" else ""
    return Text(f"{observed}not closed", style="yellow")


def _judged(ending: str) -> Text:
    style = "cyan" if ending == "observed" else "green" if ending in _GOOD else "red"
    return Text(printable(ending), style=style)


def _local(entry: Entry) -> dt.datetime:
    return dt.datetime.fromtimestamp(entry.wall, dt.UTC).astimezone()

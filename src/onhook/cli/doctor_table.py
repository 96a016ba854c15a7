"""What `onhook doctor` prints, in 80 columns and more."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onhook.cli.incidents_table import printable
from onhook.doctor.findings import Finding, Level, Report

__all__ = ["show_report"]

_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


def show_report(console: Console, report: Report) -> None:
    """Print a report: what is wrong, the gravest first, and what was not looked at.

    Args:
        console: Where to.
        report: It.
    """
    if report.heard:
        console.print(Text(printable(f"The call: {report.heard}.")))
        console.print()
    for found in report.findings:
        console.print(_title(found))
        console.print(_facts(found))
        console.print()
    console.print(Text(_summary(report), style="bold"))
    if report.unchecked:
        console.print()
        console.print(Text("Not looked at", style="dim"))
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(overflow="fold", ratio=2)
        table.add_column(overflow="fold", ratio=3)
        for each in report.unchecked:
            table.add_row(Text(printable(each.what)), Text(printable(each.why)))
        console.print(table)


def _title(found: Finding) -> Text:
    text = Text()
    text.append(f"{found.level:<8} ", style=_STYLES[found.level])
    text.append(found.code, style="bold")
    if found.subject and found.subject not in found.what:
        text.append(f"  {printable(found.subject)}")
    return text


def _facts(found: Finding) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 2), pad_edge=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, told in (("what", found.what), ("why", found.why), ("mend", found.mend)):
        table.add_row(name, Text(printable(told)))
    return table


def _summary(report: Report) -> str:
    counts = [
        (sum(found.level is level for found in report.findings), str(level)) for level in Level
    ]
    told = ", ".join(f"{n} {what}{'s' if n > 1 else ''}" for n, what in counts if n)
    return f"{told}." if told else "Nothing is wrong in what was looked at."

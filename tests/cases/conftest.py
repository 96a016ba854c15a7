from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.cases.case import Case
from tests.cases.expected import Result
from tests.cases.side_by_side import OBSERVED, SideBySide
from tests.cases.watched_stack import WATCHED, watched_stack

CONTROL = os.environ.get("CASES_CONTROL", "") not in ("", "0")
WIDTH = 80

_results: dict[Case, Result] = {}
_folder = Path()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def side_by_side(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SideBySide]:
    """All chosen cases under way, several at a time."""
    functions = [getattr(item, "function", None) for item in request.session.items]
    chosen = [case for each in functions if (case := getattr(each, "case", None)) is not None]
    global _folder  # noqa: PLW0603 - the summary comes when no fixture is left
    _folder = folder = tmp_path_factory.mktemp("cases")
    async with (
        watched_stack(tmp_path_factory.mktemp("stack")) as (stack, journals),
        SideBySide(stack, chosen, folder, control=CONTROL, journals=journals) as running,
    ):
        _results.clear()
        running.results = _results
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what every caller was to have, and what they had."""
    if not _results:
        return
    console = Console(width=WIDTH, highlight=False, file=terminalreporter._tw._file)
    table = Table(box=None, pad_edge=False, width=WIDTH)
    table.add_column("case", ratio=4, overflow="fold")
    for name in ("expected", "heard", "incidents"):
        table.add_column(name, ratio=3)
    table.add_column("", no_wrap=True)
    for case, result in _results.items():
        verdict = _verdict(case, result)
        faults = ", ".join(f"{i.fault} ({i.severity})" for i in result.incidents)
        name = case.name.replace("_", " ")
        table.add_row(name, str(case.expected), result.heard, faults, verdict)
    console.print()
    how = "guards that only observe: when it was judged" if OBSERVED else "guards on, with defaults"
    beside = ", a sentinel beside them" if WATCHED else ""
    console.print(f"{'guards off (control)' if CONTROL else how}{beside}")
    console.print(table)
    console.print(f"logs and recordings: {_folder}")
    well = sum(result.well for result in _results.values())
    console.print(f"{well} of {len(_results)} as expected")


def _verdict(case: Case, result: Result) -> Text:
    if result.well:
        return Text("ok", "green")
    if CONTROL and not case.expected.healthy and not result.trouble:
        return Text("lost", "yellow")  # what its caller would have had
    return Text("NOT", "red")

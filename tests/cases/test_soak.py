"""Healthy calls of all kinds, several at a time: nothing may happen, and nothing be complained of.

`make soak` takes ten minutes, or as many seconds as ONHOOK_SOAK_SECONDS says; ONHOOK_SOAK_SEED
gives another order; CASES_SENTINEL=1 has a sentinel watch them. Two calls are conversations as in
tests/line/test_soak.py, the others are cases: as many in all as the machine holds.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capacity import calls_at_once
from tests.cases import (
    test_outbound,
    test_provider_hiccups,
    test_realtime,
    test_silences,
    test_tasks_and_holds,
    test_turns,
)
from tests.cases.case import Case
from tests.cases.expected import NOTHING
from tests.cases.side_by_side import SideBySide
from tests.cases.watched_stack import watched_stack
from tests.line.bench import Bench, worker
from tests.line.test_soak import SECONDS, SEED, Soak

pytestmark = [pytest.mark.soak, pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

KINDS = (
    *(test_realtime, test_outbound, test_tasks_and_holds),
    *(test_turns, test_silences, test_provider_hiccups),
)
TALKS, AT_ONCE = 2, 3
LAST_CALL = 150.0


def healthy_cases() -> list[Case]:
    """Return every case of these kinds in which nothing may happen."""
    tests = (each for kind in KINDS for each in vars(kind).values())
    cases = [test.case for test in tests if isinstance(getattr(test, "case", None), Case)]
    return [case for case in cases if case.expected == NOTHING and not case.alone and not case.own]


def drawn(cases: list[Case], seed: int) -> Iterator[Case]:
    """Return the cases in an order of chance, all of them before one comes again."""
    draw = random.Random(seed)  # noqa: S311 - a script, no secret
    while True:
        yield from draw.sample(cases, len(cases))


def complaints(log: Path) -> Iterator[str]:
    """Return what onhook has complained of in a worker's log, and in its watchdog's."""
    for own in (log.parent / "run").glob("*.log"):
        yield from plain_complaints(own)
    for text in log.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line.get("level") in ("WARNING", "ERROR", "CRITICAL") and (
            str(line.get("name", "")).split(".")[0] == "onhook"
        ):
            yield f"{log.parent.name}: {line['level']} {line.get('message')}"


def plain_complaints(log: Path) -> Iterator[str]:
    """Return the lines of a log that is no JSON in which something is complained of."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else ()
    yield from (f"{log.name}: {line}" for line in lines if "WARNING" in line or "ERROR" in line)


@pytest.mark.timeout(SECONDS + LAST_CALL + 90)
async def test_healthy_calls_of_all_kinds_are_never_touched(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    wrong: list[str] = []

    async def one_after_the_other(cases: Iterator[Case], until: float) -> None:
        while time.monotonic() < until:
            case = next(cases)
            result = await side_by_side.play(case)
            counts[case.name] += 1
            if not result.well:
                wrong.append(f"{case.name}: {result.trouble} {'; '.join(result.wrong)}")

    (tmp_path / "talks").mkdir()
    async with (
        watched_stack(tmp_path / "stack") as (stack, journals),
        SideBySide(stack, [], tmp_path, control=False, journals=journals) as side_by_side,
        worker(stack, tmp_path / "talks") as talks,
    ):
        soak = Soak(Bench(stack, talks), SECONDS)
        cases = drawn(healthy_cases(), SEED)
        until = time.monotonic() + SECONDS
        async with asyncio.TaskGroup() as group:
            group.create_task(soak.run())
            for _ in range(max(1, calls_at_once(AT_ONCE) - TALKS)):
                group.create_task(one_after_the_other(cases, until))
        logs = [talks.log, *(each.log for each in side_by_side.workers)]
        said = [each for log in logs for each in complaints(log)]
        for journal in journals:
            said += plain_complaints(journal.with_name("sentinel.log"))
    held = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(  # noqa: T201 - the figures are what a soak is for
        f"\n{soak.calls + counts.total()} calls, {soak.counts.total()} turns of conversation; "
        f"cases: {held}; {len(soak.interventions)} interventions, {len(said)} complaints"
    )
    if found := [*soak.interventions, *soak.wrong, *wrong, *said]:
        pytest.fail("\n".join(found), pytrace=False)

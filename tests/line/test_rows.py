"""The fault matrix at the phone: each row without onhook and with it, in the same test.

Bounds are those of the fault matrix plus `NOISE` for a busy machine; `make bench` prints figures.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from onhook.bench.phone import Ending
from tests.line.bench import Bench, all_well, phone_for, short_form

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
PATIENCE = 4.0
"""Seconds for which the unguarded caller is watched: long past the bound, and still silent."""
WORDS = 12.0
"""Seconds after which a released call must have ended, words included."""

RAISED, EXITED, STALLED, SHUTDOWN = 0.4, 1.0, 2.0 + 0.5, 1.0
"""Seconds from the fault to `safe`; STALLED is `Policy(first_audio=2.0)` + 0.5."""

ROWS_AT_ONCE = 2
BOTH = ("inbound", "outbound")
ROWS = [
    ("inbound", "raises_before_connect", "default", RAISED),
    ("inbound", "raises_while_ringing", "default", RAISED),
    ("inbound", "raises_before_connect", "reject", RAISED),
    ("inbound", "raises_while_ringing", "reject", RAISED),
    ("outbound", "raises_while_ringing", "default", RAISED),
    *((way, "raises_after_answer", "default", RAISED) for way in BOTH),
    *((way, "raises_in_task_group", "default", RAISED) for way in BOTH),
    *((way, "is_cancelled", "default", RAISED) for way in BOTH),
    *((way, "exits", "default", EXITED) for way in BOTH),
    *((way, "exits_in_a_task", "default", EXITED) for way in BOTH),
    *((way, "is_interrupted", "default", EXITED) for way in BOTH),
    ("inbound", "stalls_before_connect", "quick", STALLED),
    *((way, "stalls_after_connect", "quick", STALLED) for way in BOTH),
    *((way, "returns_without_audio", "quick", STALLED) for way in BOTH),
    *((way, "shuts_down", "default", SHUTDOWN) for way in BOTH),
]


@pytest.mark.parametrize(
    "rows",
    short_form([ROWS[at : at + ROWS_AT_ONCE] for at in range(0, len(ROWS), ROWS_AT_ONCE)], every=3),
    ids=lambda rows: ", ".join("-".join(map(str, row[:3])) for row in rows),
)
async def test_the_caller_is_safe_within_the_bound(
    bench: Bench, rows: list[tuple[str, str, str, float]]
) -> None:
    calls = []
    for way, fault, guard, bound in rows:
        name = f"{way} {fault} {guard}"
        without = unguarded_hears_nothing(bench, way, fault, PATIENCE)
        calls.append((f"{name}, unguarded", without))
        calls.append((name, guarded_is_safe(bench, way, fault, guard, bound + NOISE)))
    await all_well(calls)


async def unguarded_hears_nothing(
    bench: Bench, direction: str, fault: str, patience: float
) -> None:
    scenario = bench.scenario(fault, "off")
    async with phone_for(direction, never_answers=fault == "raises_while_ringing") as phone:
        call = await bench.place(direction, phone, scenario)
        struck = await bench.struck(scenario)
        await asyncio.sleep(max(0.0, struck + patience - time.monotonic()))
        report = call.report()
        assert report.ending is None, f"the line was released without onhook: {report.how}"
        quiet_from = struck + 0.5
        assert report.hearing.first_sound(quiet_from) is None


async def guarded_is_safe(
    bench: Bench, direction: str, fault: str, guard: str, bound: float
) -> None:
    scenario = bench.scenario(fault, guard)
    async with phone_for(direction, never_answers=fault == "raises_while_ringing") as phone:
        call = await bench.place(direction, phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=WORDS + bound)
        ended = report.ended_at or 0.0
        rescue = report.hearing.first_sound(struck)
        safe = min(ended, ended if rescue is None else rescue) - struck
        assert safe <= bound, f"safe after {safe:.2f} s: {report.how}\n{bench.worker.tail()}"
        nobody_answers = direction == "outbound" and fault == "raises_while_ringing"
        assert report.answered is not (guard == "reject" or nobody_answers), report.how
        if report.answered:
            assert report.ending is Ending.BYE_RECEIVED
        else:
            assert report.how == ("cancelled" if nobody_answers else "rejected 486")
        if report.answered and fault != "shuts_down":
            assert rescue is not None
            assert 3 < ended - rescue < WORDS
        else:
            assert rescue is None

"""Everybody calls, and no worker is there: `make sentinel-rows`, ONHOOK_OUTAGE_CALLS=100 for more.

All callers ring at once, more than the sentinel's budget could ask about. It attends to 64 at a
time and speaks to sixteen of them, the longest silence first, and releases without a word whom it
would have kept waiting: nobody is left to ring on.
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
from pathlib import Path

import pytest

from onhook.bench.phone import Ending
from onhook.bench.phone.call_report import Report
from onhook.bench.stack import Stack
from onhook.sinks.journal import Step
from tests.sentinel.line.calls import call_to
from tests.sentinel.line.conftest import Watched
from tests.sentinel.line.sentinels import free_port, sentinel
from tests.sentinel.line.test_rows import ABSENT, NOISE, RELEASED, logger

pytestmark = [pytest.mark.stack, pytest.mark.case, pytest.mark.asyncio(loop_scope="session")]

CALLS = int(os.environ.get("ONHOOK_OUTAGE_CALLS", "80"))
AT_ONCE, PATIENCE = 16, 5.0
"""Callers who are spoken to at a time, and seconds for which another waits to be (README)."""
ROUNDS = math.ceil(CALLS / 64)
EACH = PATIENCE + RELEASED
"""Seconds that 64 of them take."""
ENDINGS = (Ending.BYE_RECEIVED, Ending.REJECTED)


@pytest.mark.timeout(120 + CALLS)
async def test_nobody_is_left_to_ring_when_no_worker_is_there(tmp_path: Path) -> None:
    """With servers and a sentinel of its own: it sends no second dispatches for a while then."""
    port = free_port()
    webhooks = [f"http://127.0.0.1:{port}/webhook"]
    async with (
        Stack(folder=tmp_path / "stack", webhooks=webhooks) as stack,
        sentinel(stack, tmp_path / "sentinel", port) as running,
    ):
        watched = Watched(stack, running)
        reports = await asyncio.gather(*(rings(watched, number) for number in range(CALLS)))
        await running.closed(CALLS)
        outcomes = running.entries(Step.CLOSED)
    told = sorted(at for report in reports if (at := words(report)) is not None)
    ended = sorted((report.ended_at or 0.0) - report.invited_at for report in reports)
    silent = sorted((r.ended_at or 0.0) - r.invited_at for r in reports if words(r) is None)
    logger.info(
        "%d callers: words for %d, first after %.2f s, median %.2f, last %.2f; without words %d, "
        "released after %s s; the last line was free after %.2f s",
        *(CALLS, len(told), told[0], statistics.median(told), told[-1]),
        *(len(silent), f"{silent[0]:.2f} to {silent[-1]:.2f}" if silent else "-", ended[-1]),
    )
    assert all(report.ending in ENDINGS for report in reports), [r.how for r in reports]
    assert len({entry.incident for entry in outcomes}) == CALLS
    assert len(told) >= min(CALLS, AT_ONCE)
    assert told[AT_ONCE - 1] <= ABSENT + PATIENCE + NOISE
    assert ended[-1] <= ABSENT + ROUNDS * EACH + NOISE


async def rings(watched: Watched, number: int) -> Report:
    """Ring at an agent that nobody runs, until the line is released."""
    async with call_to(watched.stack, None, f"outage-{number}", agent="nobody-at-all") as call:
        return await call.phone.ended(timeout=60.0)


def words(report: Report) -> float | None:
    """Return the seconds from the INVITE to the first word."""
    heard = report.hearing.first_sound(report.invited_at)
    return None if heard is None else heard - report.invited_at

"""A failure of each kind, and a healthy call, at the phone: short enough for every version.

`make compat` runs it with each supported version of livekit-agents; with the newest, the other
files hold the same calls and more.
"""

from __future__ import annotations

import time

import pytest

from onhook.bench.simulator import Script
from tests.line.bench import Bench, all_well
from tests.line.test_conversations import REQUEST
from tests.line.test_nothing_happens import ANSWER, placed
from tests.line.test_rows import EXITED, NOISE, RAISED, SHUTDOWN, guarded_is_safe
from tests.line.test_watchdog import DIED, told_and_released

pytestmark = [
    pytest.mark.stack,
    pytest.mark.compat,
    pytest.mark.asyncio(loop_scope="session"),
]

FAULTS = [
    [("raises_after_answer", RAISED), ("exits", EXITED)],
    [("is_cancelled", RAISED), ("shuts_down", SHUTDOWN)],
    [("is_killed", DIED), ("raises_before_connect", RAISED)],
]
"""Two at a time: a third is late on two cores, and not by the version's fault."""


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: " ".join(each[0] for each in faults))
async def test_no_caller_is_left(bench: Bench, faults: list[tuple[str, float]]) -> None:
    await all_well(
        [
            (fault, guarded_is_safe(bench, "inbound", fault, "default", bound + NOISE))
            for fault, bound in faults
        ]
    )


async def test_a_blocked_loop_and_a_healthy_call(bench: Bench) -> None:
    await all_well(
        [("blocked", told_and_released(bench, "blocks_its_loop")), ("healthy", healthy(bench))]
    )


async def healthy(bench: Bench) -> None:
    script = Script(heard=(REQUEST,), answers=("The table is booked.",))
    async with placed(bench, "converses", script) as it:
        await it.call.say(REQUEST)
        await it.call.heard_sound(time.monotonic(), timeout=ANSWER, new=True)

"""Webhooks lost, doubled, late and shuffled on their way over HTTP: the verdicts are the same.

The parts are wired as in the service, with the real receiver and the real client between them and
a stand-in; the clock alone is not the wall's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.sentinel.load.call_traffic import Broken, Planted
from tests.sentinel.load.parts_figures import GRACE
from tests.sentinel.load.parts_loop import EPOCH, POLL, STEP, PartsLoop
from tests.sentinel.load.server_rooms import COUNT_LAG
from tests.sentinel.load.webhook_post import ON_TIME, UNRELIABLE, Delivery
from tests.sentinel.load.wiring import wired

CALLS, PLANTS = 200, 4
COUNTS = 2 * (COUNT_LAG + 1.0)
NO_WEBHOOKS = Delivery(dropped=1.0)


@dataclass
class Seen:
    """What a run has shown."""

    planted: list[Planted]
    suspected: dict[str, float]
    answers: Counter[int] = field(default_factory=Counter)
    replayed: int = 0

    def late(self, planted: Planted) -> float:
        """Return by how many seconds after the grace a broken call was judged."""
        return EPOCH + self.suspected[planted.room] - planted.at - GRACE[planted.broken]


async def seen(how: Delivery, seed: int = 0) -> Seen:
    loop = PartsLoop(CALLS, how, lonely=PLANTS, seed=seed)
    async with wired(loop) as (answers, receiver):
        await loop.until(10.0)
        for each in range(3 * PLANTS):
            loop.traffic.plant(list(Broken)[each % 3])
            await loop.until(loop.clock.now + 1.1)
        await loop.until(loop.clock.now + 8.0 + POLL + COUNTS + POLL)
    replayed = receiver.refused["webhook"].counts.total()
    return Seen(loop.traffic.planted, loop.suspected, answers, replayed)


@pytest.fixture(scope="module")
def calm() -> Seen:
    return asyncio.run(seen(ON_TIME))


def test_every_broken_call_is_judged_within_a_step_of_its_grace(calm: Seen) -> None:
    assert calm.suspected.keys() == {planted.room for planted in calm.planted}
    assert set(calm.answers) == {200}
    assert calm.replayed == 0
    for planted in calm.planted:
        assert -STEP <= calm.late(planted) <= 2 * STEP, planted.broken


@pytest.mark.parametrize(
    ("how", "seed"), [(UNRELIABLE, 1), (UNRELIABLE, 2), (UNRELIABLE, 3), (NO_WEBHOOKS, 0)]
)
async def test_bad_delivery_changes_no_verdict(calm: Seen, how: Delivery, seed: int) -> None:
    found = await seen(how, seed)
    assert found.planted == calm.planted
    assert found.suspected.keys() == calm.suspected.keys()
    assert set(found.answers) == {200}
    assert (found.replayed > 0) is (how is UNRELIABLE)
    for planted in found.planted:
        late = found.suspected[planted.room] - calm.suspected[planted.room]
        # that an agent has gone shows in the counts of the list of rooms too, which are 5 s old at
        # most, and say nothing for as long after somebody came
        most = POLL + (COUNTS if planted.broken is Broken.LEFT else 0.0)
        assert -STEP <= late <= most + STEP, planted.broken

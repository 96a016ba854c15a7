"""What a real server told of four calls, lost, doubled, late and shuffled on its way over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from livekit.protocol.models import ParticipantInfo, Room

from tests.sentinel.load.parts_loop import POLL, STEP, Clock, PartsLoop
from tests.sentinel.load.webhook_post import ON_TIME, UNRELIABLE, Delivery
from tests.sentinel.load.wiring import heard
from tests.sentinel.recorded_log import FOLDER, load

LINES = load(FOLDER / "calls.jsonl")
WEBHOOKS = [line for line in LINES if line.kind == "webhook"]
FIRST = msgspec.json.decode(WEBHOOKS[0].content["body"])
EPOCH = float(FIRST["createdAt"]) - WEBHOOKS[0].at


class Recorded:
    """Answers a poll by what the server answered last, up to now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def rooms(self) -> Sequence[Room]:
        return [ParseDict(each, Room()) for each in self._last("rooms", "rooms")]

    async def participants(self, room: str) -> Sequence[ParticipantInfo]:
        told = self._last("members", "participants", room=room)
        return [ParseDict(each, ParticipantInfo()) for each in told]

    def _last(self, kind: str, field: str, **like: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for line in LINES:
            if line.at > self._clock.now:
                break
            if line.kind == kind and all(line.content[k] == v for k, v in like.items()):
                found = line.content[field]
        return found


async def suspected(how: Delivery, seed: int = 0) -> dict[str, float]:
    """Return which rooms had a confirmed suspicion, and when first."""
    loop = PartsLoop(0, how, lonely=0, seed=seed, epoch=EPOCH)
    loop.listings = Recorded(loop.clock)
    loop.clock.now = LINES[0].at
    async with heard(loop) as (answers, _):
        for line in WEBHOOKS:
            await loop.until(line.at)
            loop.post.take_body(line.content["body"].encode())
        await loop.until(LINES[-1].at)
    assert set(answers) <= {200}
    assert bool(answers) is (how.dropped < 1.0)
    return loop.suspected


@pytest.fixture(scope="module")
def calm() -> dict[str, float]:
    return asyncio.run(suspected(ON_TIME))


def test_two_of_the_four_calls_are_broken(calm: dict[str, float]) -> None:
    assert len(calm) == 2


@pytest.mark.parametrize(
    ("how", "seed"),
    [(UNRELIABLE, seed) for seed in range(6)] + [(Delivery(dropped=1.0), 0)],
)
async def test_the_same_calls_are_judged_at_the_latest_a_poll_later(
    calm: dict[str, float], how: Delivery, seed: int
) -> None:
    found = await suspected(how, seed)
    assert found.keys() == calm.keys()
    for room, at in found.items():
        # the server's answers were recorded every half second
        assert -STEP <= at - calm[room] <= POLL + 0.5 + STEP

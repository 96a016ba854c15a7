from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from onhook.bench.phone import Call, Phone, Timers

FAST = Timers(t1=0.05, t2=0.2, t4=0.2)


@dataclass(frozen=True)
class Pair:
    """Two phones that can call each other."""

    caller: Phone
    callee: Phone

    async def call(self) -> tuple[Call, Call]:
        """Return both sides of an answered call."""
        dialled = await self.caller.dial(self.callee.uri)
        received = await self.callee.next_call(2)
        await dialled.answered(2)
        await received.answered(2)
        return dialled, received


@pytest.fixture(params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def pair(transport: str) -> AsyncIterator[Pair]:
    async with (
        Phone("+15550199", transport=transport, timers=FAST) as caller,
        Phone("100", transport=transport, timers=FAST) as callee,
    ):
        yield Pair(caller, callee)


@pytest.fixture
async def udp() -> AsyncIterator[Pair]:
    async with Phone("+15550199", timers=FAST) as caller, Phone("100", timers=FAST) as callee:
        yield Pair(caller, callee)

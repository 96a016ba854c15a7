from __future__ import annotations

import asyncio

import pytest

from onhook.errors import PolicyError
from onhook.sentinel.fleet.claims import Claim, Refused
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from tests.sentinel.fleet.contract import LONG, ClaimsContract, claimed
from tests.sentinel.fleet.telling import opened, outcome


@pytest.mark.looptime
class TestMemoryClaims(ClaimsContract):
    @pytest.fixture
    def claims(self) -> MemoryClaims:
        return MemoryClaims(clock=lambda: asyncio.get_running_loop().time())


async def test_of_too_many_the_finished_ones_are_forgotten_first() -> None:
    claims = MemoryClaims(limit=3)
    await claimed(claims, call="held")
    done = await claimed(claims, call="done")
    await claims.release(done, outcome(), [opened()])
    for call in ("x", "y"):
        await claimed(claims, call=call)
    assert await claims.recent(10) == ("y", "x", "held")
    assert isinstance(await claims.claim("held", "b", LONG), Refused)
    assert isinstance(await claims.claim("done", "b", LONG), Claim)


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(PolicyError):
        MemoryClaims(limit=0)

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from onhook.call import Call, Leg, LineState
from onhook.sentinel.call_view import CallView
from onhook.sentinel.scanners import Scanners
from tests.fakes import FakeLine, agent, caller, fails, human, refused

pytestmark = pytest.mark.looptime

RINGING = caller(LineState.RINGING)


def scanner(number: int = 1) -> CallView:
    return CallView(call=Call(f"scan-{number}", (RINGING,)), sid=f"RM_{number}", trunkless=True)


def removing(line: FakeLine) -> Scanners:
    @contextlib.asynccontextmanager
    async def opened(_: str, __: float) -> AsyncIterator[FakeLine]:
        yield line

    return Scanners(opened, clock=asyncio.get_running_loop().time)


@pytest.mark.parametrize(
    ("legs", "removed"),
    [
        ((RINGING,), 1),
        ((), 0),
        ((caller(),), 0),
        ((RINGING, agent(audible=True)), 0),
        ((RINGING, human()), 0),
    ],
    ids=["alone", "gone", "answered", "agent", "person"],
)
async def test_only_a_line_that_rings_for_nobody_is_removed(
    legs: tuple[Leg, ...], removed: int
) -> None:
    line = FakeLine(Call("scan-1", legs))
    scanners = removing(line)
    for _ in range(3):
        scanners.remove(scanner())
        await asyncio.sleep(1.0)
    assert line.asked == ["remove sip_1"] * removed
    assert scanners.removed == removed


async def test_a_flood_of_them_does_not_take_the_api_away() -> None:
    line = FakeLine(Call("scan", (RINGING,)))
    scanners = removing(line)
    for number in range(300):
        line.call = Call("scan", (RINGING,))
        scanners.remove(scanner(number))
        await asyncio.sleep(0.05)
    assert 20 <= scanners.removed <= 20 + 15 + 1


async def test_a_server_that_refuses_is_told_of_and_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = FakeLine(replace(Call("scan-1"), legs=(RINGING,)), removals=[fails(refused())])
    scanners = removing(line)
    scanners.remove(scanner())
    await asyncio.sleep(1.0)
    assert scanners.removed == 0
    assert "was not removed" in caplog.text

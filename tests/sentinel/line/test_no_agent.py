"""Calls that no agent takes, at the phone: ringing would go on for minutes without a sentinel."""

from __future__ import annotations

import pytest

from onhook.bench.phone import Ending, Phone
from onhook.bench.stack import Route
from onhook.sinks.journal import Step
from tests.line.bench import next_number
from tests.sentinel.line.conftest import Watched

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

APOLOGY = 9.0
"""Seconds from the dialling until the first word."""


async def test_without_a_worker_a_ringing_caller_hears_an_apology_and_is_released(
    watched: Watched,
) -> None:
    number = next_number()
    await watched.stack.add_route(Route(number, "nobody"), ringing=180.0)
    assert watched.stack.sip_address
    async with Phone() as phone:
        call = await phone.dial(number, server=watched.stack.sip_address)
        report = await call.ended(timeout=30.0)
    heard = report.hearing.first_sound(report.invited_at)
    assert heard is not None, watched.sentinel.tail()
    assert heard - report.invited_at <= APOLOGY
    assert report.ending is Ending.BYE_RECEIVED
    closed = await watched.sentinel.closed()
    assert closed.subject == "released"
    opened = watched.sentinel.entries(Step.OPENED)[-1]
    assert opened.subject == "agent.absent"

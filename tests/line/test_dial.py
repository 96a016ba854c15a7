"""`onhook.dial` at the phone that is called: no way of not answering leaves a leg behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit import api

from onhook.bench.phone import Answer, Answering, CallTimeoutError, Ending, Phone, Reject, Ring
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
BOUND = 2.0
"""Seconds of the row `outbound.unanswered` until the phone must be free again."""


async def test_an_answered_call_is_released_at_its_limit(bench: Bench) -> None:
    scenario = bench.scenario("dials", "off", max_call=3.0)
    async with Phone(answering=Answer(after=0.3)) as phone:
        call = await bench.call_out(phone, scenario)
        await call.answered()
        assert (await result(bench, scenario))["ending"] == "answered"
        assert await callees(bench, scenario) == 1
        report = await call.ended(timeout=10)
        assert report.ending is Ending.BYE_RECEIVED
        lasted = (report.ended_at or 0.0) - (report.answered_at or 0.0)
        assert 3.0 - NOISE <= lasted <= 3.0 + NOISE


async def test_without_onhook_an_answer_that_comes_late_finds_a_silent_line(bench: Bench) -> None:
    """The client has given up; the server dials on."""
    async with Phone(answering=Answer(after=1.5)) as phone, bench.api() as server:
        trunk = await bench.stack.add_outbound_trunk("{}:{}".format(*phone.address))
        request = api.CreateSIPParticipantRequest(
            sip_trunk_id=trunk,
            sip_call_to=phone.number,
            room_name="out-nobody",
            wait_until_answered=True,
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await server.sip.create_sip_participant(request)
        call = await phone.next_call(timeout=5)
        await call.answered()
        with pytest.raises(CallTimeoutError):
            await call.ended(timeout=BOUND)
        assert call.report().hearing.first_sound() is None
        await call.hang_up()


@pytest.mark.parametrize(("status", "ending"), [(486, "busy"), (603, "declined")])
async def test_a_refusal_is_named(bench: Bench, status: int, ending: str) -> None:
    scenario = bench.scenario("dials", "off")
    async with Phone(answering=Reject(status, after=0.2)) as phone:
        await bench.dispatch(phone, scenario)
        told = await result(bench, scenario)
        assert (told["ending"], told["status"]) == (ending, status)
        assert told["fault"] == "outbound.unanswered"
        assert await callees(bench, scenario) == 0


@pytest.mark.parametrize("answering", [Ring(), Answer(after=2.5)])
async def test_nobody_answers_in_time_and_an_answer_after_it_finds_nobody(
    bench: Bench, answering: Answering
) -> None:
    scenario = bench.scenario("dials", "off", deadline=1.5)
    async with Phone(answering=answering) as phone:
        call = await bench.call_out(phone, scenario)
        report = await call.ended(timeout=1.5 + BOUND + NOISE)
        assert report.ending is Ending.CANCELLED
        told = await result(bench, scenario)
        assert told["ending"] == "no_answer"
        assert (report.ended_at or 0.0) - told["at"] <= NOISE
        assert await callees(bench, scenario) == 0


@pytest.mark.parametrize("after", [0.0, 0.5])
async def test_who_is_cancelled_leaves_no_leg(bench: Bench, after: float) -> None:
    """At once, where the server may not even know of the leg yet, or while it rings."""
    scenario = bench.scenario("dials_and_is_cancelled", "off", cancelled_after=after)
    async with Phone(answering=Answer(after=2.5)) as phone:
        await bench.dispatch(phone, scenario)
        await bench.worker.wait("cancelled", scenario["id"])
        await asyncio.sleep(2.5)  # when it would have answered
        assert [call.report().ending for call in phone.calls if call.is_up] == []
        assert await callees(bench, scenario) == 0


async def result(bench: Bench, scenario: dict[str, Any]) -> dict[str, Any]:
    await bench.worker.wait("dialled", scenario["id"])
    return bench.worker.event("dialled", scenario["id"]) or {}


async def callees(bench: Bench, scenario: dict[str, Any]) -> int:
    request = api.ListParticipantsRequest(room=f"out-{scenario['id']}")
    async with bench.api() as server, asyncio.timeout(10):
        listing = await server.room.list_participants(request)
    return sum(p.kind == api.ParticipantInfo.Kind.SIP for p in listing.participants)

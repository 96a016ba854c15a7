"""`Transfer` at the phone: REFER accepted, refused, never reported."""

from __future__ import annotations

import pytest

from onhook.bench.phone import Answer, Ending, Phone, ReferAnswer
from tests.agents.rungs import DESK
from tests.line.bench import Bench, short_form

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
BYE = 1.0
"""Seconds that livekit-sip leaves the phone to hang up by itself after a transfer."""


def phone_that(answer: ReferAnswer) -> Phone:
    return Phone(on_refer=answer, answering=Answer(after=0.3))


@pytest.mark.parametrize("direction", short_form(["inbound", "outbound"], every=2))
async def test_an_accepted_caller_is_sent_on_and_hears_no_apology(
    bench: Bench, direction: str
) -> None:
    scenario = bench.scenario("raises_after_answer", "transfer")
    async with phone_that(ReferAnswer.accept()) as phone:
        call = await bench.place(direction, phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=10)
        assert report.ending is Ending.BYE_RECEIVED
        (refer,) = report.refers
        assert refer.to == DESK
        assert refer.at - struck <= 0.4 + NOISE
        assert (report.ended_at or 0.0) - refer.at <= 0.3 + BYE + NOISE
        assert report.hearing.first_sound(struck) is None
        assert (await bench.story(scenario)).ending == "transferred"


@pytest.mark.parametrize(
    ("answer", "says"),
    [(ReferAnswer.refuse(603), "603"), (ReferAnswer.fail(486), "busy")],
)
async def test_a_refused_transfer_leads_to_words_at_once(
    bench: Bench, answer: ReferAnswer, says: str
) -> None:
    scenario = bench.scenario("raises_after_answer", "transfer")
    async with phone_that(answer) as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        heard = await call.heard_sound(struck, timeout=5)
        await call.hang_up()
        (refer,) = call.report().refers
        told = refer.at + answer.pause * len(answer.notify)
        assert heard - told <= 0.4 + NOISE
        story = await bench.story(scenario)
        assert story.ending == "released"
        assert "transfer.failed" in story.text
        assert says in story.text


async def test_a_transfer_of_which_nobody_reports_ends_in_time(bench: Bench) -> None:
    scenario = bench.scenario("raises_after_answer", "transfer_briefly")
    async with phone_that(ReferAnswer.silent()) as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        heard = await call.heard_sound(struck, timeout=10)
        assert heard - struck <= 3.0 + 0.4 + NOISE
        await call.hang_up()
        assert "NOTIFY" in (await bench.story(scenario)).text

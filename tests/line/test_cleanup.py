"""`cleanup.failed` on a real call: a server that refuses, stumbles, hangs or is not there."""

from __future__ import annotations

import json
import socket

import pytest

from onhook.bench.phone import CallTimeoutError, Ending
from tests.line.bench import Bench, all_well, phone_for
from tests.line.proxy import HANG, PASS, proxy

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

BOTH = ["inbound", "outbound"]
NOISE = 1.0
DEADLINE = 2.0
"""`HangUp(deadline=2.0)` of the policy `impatient`."""
HANDED = 1.0
"""Seconds for the watchdog, which has credentials of its own, once it is handed a call."""


@pytest.mark.parametrize(
    ("method", "script", "rung"),
    [
        ("DeleteRoom", [500, 500, PASS], "deleted the room"),
        ("DeleteRoom", [503, PASS], "deleted the room"),
        ("DeleteRoom", [401], "removed"),
        ("DeleteRoom", [HANG, PASS], "deleted the room"),
    ],
)
async def test_a_cleanup_that_can_be_saved_is_saved(
    bench: Bench, method: str, script: list[int], rung: str
) -> None:
    await all_well([(way, saved(bench, way, method, script, rung)) for way in BOTH])


async def saved(bench: Bench, direction: str, method: str, script: list[int], rung: str) -> None:
    async with proxy(bench.http_url, method, script) as api, phone_for(direction) as phone:
        scenario = bench.scenario("raises_after_answer", "impatient", api=api.url)
        call = await bench.place(direction, phone, scenario)
        struck = await bench.struck(scenario)
        report = await call.ended(timeout=DEADLINE + NOISE)
        assert report.ending is Ending.BYE_RECEIVED
        assert report.ended_at is not None
        assert report.ended_at - struck <= DEADLINE + NOISE
        story = await bench.story(scenario)
        assert story.ending == "released"
        assert rung in story.text
        assert api.seen == script


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([401], "roomCreate"),
        ([500], "500 internal"),
        ([HANG], "no answer within"),
        (None, "not reachable"),
    ],
)
async def test_a_cleanup_that_cannot_be_saved_is_handed_to_the_watchdog_in_time(
    bench: Bench, script: list[int] | None, says: str
) -> None:
    await all_well([(way, handed_outward(bench, way, script, says)) for way in BOTH])


async def handed_outward(bench: Bench, direction: str, script: list[int] | None, says: str) -> None:
    async with proxy(bench.http_url, "*", script or [PASS]) as api, phone_for(direction) as phone:
        url = api.url if script else f"http://127.0.0.1:{closed_port()}"
        scenario = bench.scenario("raises_after_answer", "impatient", api=url)
        call = await bench.place(direction, phone, scenario)
        struck = await bench.struck(scenario)
        story = await bench.story(scenario)
        assert story.ending == "handed_outward"
        assert story.closed_at - struck <= DEADLINE + NOISE
        assert says in story.text
        assert "the customer database is down" in story.raised, "the original error is intact"
        report = await call.ended(timeout=HANDED + NOISE)
        assert report.ending is Ending.BYE_RECEIVED, "the watchdog's own way to the server is open"
        assert (report.ended_at or 0.0) - story.closed_at <= HANDED + NOISE


async def test_without_a_watchdog_such_a_cleanup_leaves_the_line_to_the_fallback(
    bench: Bench,
) -> None:
    async with proxy(bench.http_url, "*", [401]) as api, phone_for("inbound") as phone:
        scenario = bench.scenario("raises_after_answer", "alone", api=api.url)
        call = await bench.call_in(phone, scenario)
        assert (await bench.story(scenario)).ending == "handed_outward"
        with pytest.raises(CallTimeoutError):
            await call.ended(timeout=0.5)


async def test_the_wrong_key_is_named_and_the_caller_has_heard_the_words(bench: Bench) -> None:
    async with proxy(bench.http_url, "*", [401]) as api, phone_for("inbound") as phone:
        scenario = bench.scenario("raises_after_answer", "default", api=api.url)
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        assert await call.heard_sound(struck, timeout=0.4 + NOISE) > struck
        story = await bench.story(scenario)
        assert "LIVEKIT_API_KEY" in story.text
        assert json.dumps(bench.stack.env["LIVEKIT_API_SECRET"]) not in bench.worker.tail(10_000)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

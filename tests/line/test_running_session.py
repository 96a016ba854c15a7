"""What LiveKit's guide asks for a running session, and words that are heard alone.

Errors that pass and errors that do not, spoken notice and transfer, and a second attempt.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from onhook.bench.phone import Ending, Phone, ReferAnswer
from onhook.bench.simulator import Endpoint, ProviderFault, Simulator
from tests.agents.rungs import AT_MOST, BEEP, DESK, TONE
from tests.line.bench import Bench, all_well
from tests.line.test_conversations import REQUEST

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DEAD_AIR, ANSWER = 3.0, 12.0
RINGS = 5.0
OVERLONG = 2.0
RATE, WINDOW = 8000, 400
LOUD, PURE = -25.0, 10.0
"""dBFS of the tone at the least, and decibels by which it is above all else where it is alone."""
STEADY, AUDIBLE = 1.0, -45.0
"""Decibels below its usual level to which the tone falls in a window that a gap has cut, and dBFS
of what a person hears."""


async def test_a_running_session(bench: Bench) -> None:
    await all_well(
        [
            ("an error that passes", an_error_that_passes(bench)),
            ("notice, then transfer", notice_then_transfer(bench)),
            ("retry", retried(bench)),
            ("retry, without onhook", not_retried(bench)),
        ]
    )


async def an_error_that_passes(bench: Bench) -> None:
    async with Simulator() as simulator, Phone() as phone:
        scenario = bench.scenario("converses", "talk", provider=simulator.base_url)
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        simulator.fail_next(Endpoint.CHAT, ProviderFault.error(500))
        await call.say(REQUEST)
        await call.heard_sound(time.monotonic(), timeout=ANSWER, new=True)
        errors = bench.worker.events_of("error", scenario["id"])
        assert [event["recoverable"] for event in errors] == [True]
        assert bench.worker.event("lost", scenario["id"]) is None
        assert call.report().ending is None
        await call.hang_up()


async def notice_then_transfer(bench: Bench) -> None:
    async with Simulator() as simulator, Phone(on_refer=ReferAnswer.accept()) as phone:
        scenario = bench.scenario("converses", "notice_then_transfer", provider=simulator.base_url)
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        simulator.fail(Endpoint.CHAT, ProviderFault.error(401))
        await call.say(REQUEST)
        asked = time.monotonic()
        report = await call.ended(timeout=ANSWER + DEAD_AIR)
        assert report.ending is Ending.BYE_RECEIVED
        (refer,) = report.refers
        assert refer.to == DESK
        notice = report.hearing.first_sound(asked + 0.2, new=True)
        assert notice is not None
        assert notice - asked <= DEAD_AIR + NOISE
        assert notice < refer.at, "the caller is told before"
        errors = bench.worker.events_of("error", scenario["id"])
        assert errors[-1]["recoverable"] is False
        await bench.worker.wait("transferred", scenario["id"])


async def retried(bench: Bench) -> None:
    scenario = bench.scenario("comes_up_at_the_second_attempt", "retry")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.struck(scenario)
        greeted = await bench.worker.wait("greeted", scenario["id"])
        heard = call.report().hearing.first_sound(struck)
        assert heard is not None
        assert heard < greeted
        await call.heard_sound(greeted + DEAD_AIR, timeout=ANSWER, new=True)
        assert call.report().ending is None
        assert (await bench.story(scenario)).ending == "recovered"
        await call.hang_up()


async def not_retried(bench: Bench) -> None:
    scenario = bench.scenario("comes_up_at_the_second_attempt", "off")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        await bench.struck(scenario)
        await asyncio.sleep(RINGS)
        report = call.report()
        assert report.ending is None
        assert report.answered_at is None, "it rings on"
        await call.cancel()


async def test_rescue_words_are_heard_alone(bench: Bench) -> None:
    await all_well(
        [
            ("a call that is too long", heard_alone(bench, "talks_at_length", "tone_at_the_limit")),
            ("raises in mid-sentence", heard_alone(bench, "raises_in_mid_sentence", "tone")),
        ]
    )


async def heard_alone(bench: Bench, fault: str, guard: str) -> None:
    """The agent is in the middle of a long answer when a tone takes the place of its words."""
    scenario = bench.scenario(fault, guard)
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        answered = await call.answered()
        opened = await bench.worker.wait("opened", scenario["id"])
        report = await call.ended(timeout=ANSWER)
        assert report.ending is Ending.BYE_RECEIVED
        begin = report.hearing.begin
        tone, rest = spectrum(call.audio())
        beeps = np.flatnonzero((tone > LOUD) & (tone - rest > PURE))
        seconds = begin + beeps * WINDOW / RATE
        assert len(beeps) * WINDOW / RATE == pytest.approx(BEEP, abs=0.3)
        assert seconds[0] - opened <= 0.4 + NOISE
        if guard == "tone_at_the_limit":
            assert seconds[0] - answered <= AT_MOST + OVERLONG
        words = slice(beeps[0] + 2, beeps[-1] - 1)
        whole = tone[words] > np.median(tone[words]) - STEADY  # a busy machine leaves gaps
        assert whole.mean() > 0.5
        beside = (rest - tone)[words][whole]
        assert beside.max() < -PURE, f"something is heard beside the words: {beside.max():.0f} dB"
        after = np.arange(len(rest)) > beeps[-1] + 2
        assert not (rest[after] > AUDIBLE).any(), "the agent is heard again"
        before = rest[max(0, beeps[0] - 40) : beeps[0]]
        assert (before > AUDIBLE).any(), "the agent was speaking until then"


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels, in dBFS and for each window, of the tone and of everything else."""
    count = len(samples) // WINDOW
    windows = samples[: count * WINDOW].reshape(count, WINDOW).astype(float) / 32768
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1)) ** 2
    power *= 2 / (WINDOW * np.sum(np.hanning(WINDOW) ** 2))
    near = np.abs(np.fft.rfftfreq(WINDOW, 1 / RATE) - TONE) <= 100
    return tuple(10 * np.log10(power[:, band].sum(axis=1) + 1e-12) for band in (near, ~near))

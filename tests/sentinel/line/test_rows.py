"""The sentinel's rows of the fault matrix at the phone, with agents that know nothing of onhook.

Some calls at a time, before one sentinel at its defaults. `make sentinel-rows` has longer ones too.
Bounds are those of the fault matrix plus `NOISE` for a busy machine.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math

import pytest

from onhook.bench.phone import Ending
from onhook.bench.phone.call_report import Report
from tests.line.bench import Worker, all_well
from tests.sentinel.line.calls import call_to
from tests.sentinel.line.conftest import LONGEST, SHORT, Watched

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

logger = logging.getLogger("tests.sentinel")

NOISE = 2.0
ABSENT, REPEATED, OVERLONG, ABANDONED, ZOMBIE = 9.0, 4.0, LONGEST + 2.0, 9.0, 8.0
"""Bounds of the fault matrix, in seconds: to the first word, or to the agent's answer."""
RELEASED = 8.0
"""Seconds from the first word to the end of the call."""
HEALTHY = 12.0


async def test_before_an_agent_is_there_a_caller_is_safe_within_the_bound(
    watched: Watched, plain: Worker
) -> None:
    await all_well(
        [
            ("no agent", no_agent(watched)),
            ("dispatch lost", dispatch_is_lost(watched, plain)),
        ]
    )


async def test_when_the_agent_is_killed_a_caller_is_safe_and_the_others_are_left_alone(
    watched: Watched, plain: Worker
) -> None:
    await all_well(
        [
            ("killed", is_killed(watched, plain)),
            ("healthy", is_healthy(watched, plain)),
        ]
    )


@pytest.mark.case
async def test_a_caller_who_is_left_or_talks_for_too_long_is_released_within_the_bound(
    watched: Watched, plain: Worker
) -> None:
    await all_well(
        [
            ("too long", is_too_long(watched, plain)),
            ("left alone", is_left_alone(watched, plain)),
        ]
    )


async def no_agent(watched: Watched) -> None:
    async with call_to(watched.stack, None, "no-agent", agent="nobody") as call:
        report = await call.phone.ended(timeout=30.0)
    words = (report.hearing.first_sound(report.invited_at) or math.inf) - report.invited_at
    tell("no agent: words", words)
    assert words <= ABSENT + NOISE, f"{words:.2f} s\n{watched.sentinel.tail()}"
    assert report.ending is Ending.BYE_RECEIVED
    assert (report.ended_at or math.inf) - report.invited_at <= words + RELEASED


async def dispatch_is_lost(watched: Watched, plain: Worker) -> None:
    async with call_to(watched.stack, plain, "lost", refuse=1) as call:
        await call.greeted()
        await asyncio.sleep(HEALTHY - 6.0)
        report = call.phone.report()
        await call.phone.hang_up()
    seconds = (report.answered_at or math.inf) - report.invited_at
    tell("dispatch lost: answered", seconds)
    assert seconds <= REPEATED + NOISE, f"{seconds:.2f} s\n{watched.sentinel.tail()}"
    assert report.ending is None, report.how
    assert len(plain.events_of("connected", "lost")) == 1


async def is_too_long(watched: Watched, plain: Worker) -> None:
    async with call_to(watched.stack, plain, "long", number=SHORT) as call:
        answered = await call.phone.answered()
        report = await call.phone.ended(timeout=30.0)
    assert report.ending is Ending.BYE_RECEIVED
    seconds = (report.ended_at or 0.0) - answered
    tell("too long: ended", seconds)
    assert LONGEST <= seconds <= OVERLONG + RELEASED + NOISE, f"{seconds:.2f} s"


async def is_left_alone(watched: Watched, plain: Worker) -> None:
    async with call_to(watched.stack, plain, "alone") as call:
        await call.greeted()
        await call.tell("leave")
        left = await plain.wait("left", "alone")
        report = await call.phone.ended(timeout=40.0)
    words = last_words(report) - left
    tell("left alone: words", words)
    assert words <= ABANDONED + NOISE, f"{words:.2f} s\n{watched.sentinel.tail()}"
    assert report.ending is Ending.BYE_RECEIVED


async def is_killed(watched: Watched, plain: Worker) -> None:
    async with call_to(watched.stack, plain, "killed") as call:
        await call.greeted()
        struck = await call.tell("kill")
        report = await call.phone.ended(timeout=40.0)
    words = last_words(report) - struck
    tell("agent killed: words", words)
    assert words <= ZOMBIE + NOISE, f"{words:.2f} s\n{watched.sentinel.tail()}"
    assert report.ending is Ending.BYE_RECEIVED


async def is_healthy(watched: Watched, plain: Worker) -> None:
    async with call_to(watched.stack, plain, "healthy") as call:
        await call.greeted()
        await asyncio.sleep(HEALTHY)
        report = call.phone.report()
        await call.phone.hang_up()
    assert report.ending is None, report.how
    assert len(plain.events_of("connected", "healthy")) == 1


def last_words(report: Report) -> float:
    """Return when the last sound of a call began that was preceded by a second of silence."""
    sounds = [stretch for stretch in report.hearing.stretches if stretch.audible]
    began = [s.start for b, s in itertools.pairwise(sounds) if s.start - b.end > 1.0]
    assert began, report.how
    return began[-1]


def tell(what: str, seconds: float) -> None:
    logger.info("%s after %.2f s", what, seconds)

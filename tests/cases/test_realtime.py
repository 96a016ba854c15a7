"""Realtime models, which tell when and what they like of a turn."""

from __future__ import annotations

import asyncio

from tests.cases.case import case
from tests.cases.expected import NOTHING, WORDS_AT_MOST, words
from tests.cases.scene import AGAIN, Scene

QUIET = words(8, released=18)
THINKS = 15.0
"""Seconds that a caller thinks, who owes the answer."""


async def asks_and_thinks(s: Scene, seconds: float = THINKS) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    await s.hears("the answer")
    await s.stays(seconds)


@case("realtime_with_transcripts_at_the_end", NOTHING, brief=True)
async def test_transcript_at_the_end_of_the_turn(s: Scene) -> None:
    """As Gemini Live does: what the caller said is told when the answer is over."""
    await asks_and_thinks(s, 24.0)
    s.see("the transcript", s.told("transcript"))


@case("realtime_with_transcripts_a_second_late", NOTHING)
async def test_transcript_a_second_after_a_short_answer(s: Scene) -> None:
    """As OpenAI's does: what the caller said is told a second later, here after the answer."""
    await asks_and_thinks(s)
    await s.says("For two.")
    await s.hears("the second answer")
    await s.stays(THINKS)
    s.see("the transcripts", s.told("transcript") == 2)


@case("realtime_without_transcripts", NOTHING)
async def test_no_transcript_at_all(s: Scene) -> None:
    await asks_and_thinks(s)
    await s.says("For two.")
    await s.hears("the second answer")
    await s.stays(THINKS)


@case("realtime_with_a_tool", NOTHING)
async def test_tool_of_a_realtime_model(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    await s.hears("the words before the tool")
    await s.event("booked")
    await s.hears("the words after the tool", after=s.struck + 5)
    await s.stays(THINKS)


@case("realtime_that_ignores_murmurs", WORDS_AT_MOST)
async def test_murmur_that_the_model_ignores(s: Scene) -> None:
    """What a listener murmurs is no turn, and the model answers what is one."""
    await asks_and_thinks(s, 5)
    await s.says("Hmm hmm.")
    await s.stays(12)
    await s.says()
    await s.hears("the answer to the next words")
    await s.stays(4)


async def is_not_answered(s: Scene) -> None:
    s.struck = await s.says("At eight o'clock please.")
    if await s.stays(12):
        await s.says(AGAIN)
        await s.stays(12)


@case("realtime_that_goes_quiet", QUIET, brief=True)
async def test_model_goes_quiet(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await s.says()
    await s.event("first", 10)
    await asyncio.sleep(4)
    await is_not_answered(s)


@case("realtime_with_speech_events_that_goes_quiet", QUIET)
async def test_model_that_tells_when_the_caller_speaks_goes_quiet(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await s.says()
    await s.event("first", 10)
    await asyncio.sleep(4)
    await is_not_answered(s)


@case("realtime_that_is_stuck_after_a_tool", QUIET)
async def test_model_never_goes_on_after_a_tool(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await s.says()
    s.struck = await s.event("booked", 15)
    if await s.stays(12):
        await s.says(AGAIN)
        await s.stays(12)


@case("realtime_that_never_greets", words(8.5, released=29))
async def test_model_that_never_greets(s: Scene) -> None:
    """The line is answered, for the session's track is there; and no word comes."""
    await s.dial()
    s.struck = await s.event("struck", 15)
    await s.stays(30)

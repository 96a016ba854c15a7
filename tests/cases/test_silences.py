"""Callers who are silent, murmur, or are in a noisy place; and a loop that stands still."""

from __future__ import annotations

import asyncio
import time

from tests.cases.case import case
from tests.cases.expected import NOTHING, WORDS_AT_MOST, words
from tests.cases.layout import Endpoint, ProviderFault, Script, ToolCall
from tests.cases.scene import Scene
from tests.cases.sounds import babble, melody, noise


@case("plain_desk", WORDS_AT_MOST)
async def test_murmurs_without_words(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.simulator.fail(Endpoint.TRANSCRIPTIONS, ProviderFault.empty())
    s.struck = time.monotonic()
    for _ in range(8):
        if not await s.stays(11):
            return
        await s.says("hmm well")
    await s.stays(15)


@case("plain_desk", WORDS_AT_MOST)
async def test_caller_looks_for_something(s: Scene) -> None:
    """They mumble to themselves twice, and the model rightly has no answer to that."""
    await s.dial()
    await s.greeted()
    for _ in range(2):
        s.fail_next(Endpoint.CHAT, ProviderFault.empty())
    s.struck = time.monotonic()
    for text in ("Where have I put it.", "It was here yesterday."):
        await s.says(text)
        if not await s.stays(10):
            return
    asked = await s.says("Here it is. Are you still there?")
    await s.hears("the answer", 12, after=asked)
    await s.stays(4)


async def is_in_a_noisy_place(s: Scene, sound: object) -> None:
    await s.dial()
    await s.greeted()
    s.simulator.fail(Endpoint.TRANSCRIPTIONS, ProviderFault.empty())
    s.struck = time.monotonic()
    await s.call.play(sound)  # type: ignore[arg-type]
    if s.call.is_up:
        s.simulator.heal()
        asked = await s.says()
        await s.hears("the answer", 12, after=asked)
        await s.stays(4)


@case("plain_desk", NOTHING)
async def test_constant_noise_in_the_background(s: Scene) -> None:
    await is_in_a_noisy_place(s, noise(40))


@case("plain_desk", WORDS_AT_MOST)
async def test_babble_of_a_crowd(s: Scene) -> None:
    await is_in_a_noisy_place(s, babble(60))


@case("plain_desk", WORDS_AT_MOST)
async def test_music_at_the_callers_side(s: Scene) -> None:
    await is_in_a_noisy_place(s, melody(60))


@case("plain_desk", NOTHING)
async def test_muted_caller_for_a_minute(s: Scene) -> None:
    await s.dial()
    s.struck = await s.greeted()
    if await s.stays(60):
        asked = await s.says()
        await s.hears("the answer", 12, after=asked)
        await s.stays(4)


@case("asks_are_you_still_there", NOTHING)
async def test_are_you_still_there(s: Scene) -> None:
    await s.dial()
    s.struck = await s.greeted()
    await s.stays(40)
    s.see("the question", s.told("asked"))


@case("has_a_menu", NOTHING)
async def test_menu_by_keys(s: Scene) -> None:
    await s.dial()
    s.struck = await s.greeted()
    for digit in "12":
        if not await s.stays(9):
            return
        await s.call.send_digits(digit)
        pressed = time.monotonic()
        await s.hears(f"the answer to {digit}", 6, after=pressed)
    await s.stays(12)


BOOK = Script(answers=(ToolCall("book"), "The table is booked."))


@case("blocks_its_loop", WORDS_AT_MOST, script=BOOK)
async def test_tool_that_blocks_the_loop_for_five_seconds(s: Scene) -> None:
    await s.dial(seconds=5)
    await s.greeted()
    await s.says()
    s.struck = await s.event("struck", 15)
    await s.hears("the answer", 15, after=s.struck + 5)
    await s.stays(6)


@case("blocks_its_loop", words(4), script=BOOK)
async def test_loop_that_hangs_for_ten_seconds(s: Scene) -> None:
    """Shorter than the limit: words, and the call goes on as soon as the loop is back."""
    await s.dial(seconds=10)
    await s.greeted()
    await s.says()
    s.struck = await s.event("struck", 15)
    await s.event("back", 15)
    await s.hears("the answer", 12)
    await s.stays(10)
    asked = await s.says()
    await s.hears("the answer to the next words", 10, after=asked)
    await s.stays(3)


@case("blocks_its_loop_when_told", words(4, released=25))
async def test_loop_that_hangs_for_good(s: Scene) -> None:
    """Longer than the limit of 15 s: words at 4 s, the apology, and the release."""
    await s.dial(seconds=600)
    await s.greeted()
    await asyncio.sleep(2)
    await s.go()
    s.struck = await s.event("struck", 15)
    if not await s.stays(14):
        s.see("that the hung job has its fifteen seconds", seen=False)
    await s.stays(16)

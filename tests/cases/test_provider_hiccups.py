"""A provider that fails for a moment: one failed turn is no reason to end a call."""

from __future__ import annotations

import signal
import time

from tests.cases.case import case
from tests.cases.expected import NOTHING, WORDS_AT_MOST
from tests.cases.layout import Endpoint, ProviderFault
from tests.cases.scene import AGAIN, Scene

BAD_REQUEST = ProviderFault.error(400)


async def goes_on(s: Scene) -> None:
    if await s.stays(9):
        asked = await s.says(AGAIN)
        await s.hears("the answer to the next words", 10, after=asked)
        await s.stays(4)


async def fails_once(s: Scene, endpoint: Endpoint, *faults: ProviderFault) -> None:
    await s.dial()
    await s.greeted()
    s.fail_next(endpoint, *faults)
    s.struck = await s.says()
    await s.event("error", 10)
    await goes_on(s)


@case("plain_desk", WORDS_AT_MOST, brief=True)
async def test_one_refused_request_of_the_model(s: Scene) -> None:
    """A content filter, say."""
    await fails_once(s, Endpoint.CHAT, BAD_REQUEST)


@case("plain_desk", WORDS_AT_MOST)
async def test_one_refused_request_of_the_voice(s: Scene) -> None:
    await fails_once(s, Endpoint.SPEECH, BAD_REQUEST)


@case("plain_desk", WORDS_AT_MOST)
async def test_one_refused_request_of_the_recogniser(s: Scene) -> None:
    await fails_once(s, Endpoint.TRANSCRIPTIONS, BAD_REQUEST)


@case("plain_desk", WORDS_AT_MOST)
async def test_turn_that_fails_with_all_its_retries(s: Scene) -> None:
    await fails_once(s, Endpoint.CHAT, *[ProviderFault.error(500)] * 4)


@case("plain_desk", WORDS_AT_MOST)
async def test_two_failed_turns_with_a_good_one_between(s: Scene) -> None:
    await fails_once(s, Endpoint.CHAT, BAD_REQUEST)
    s.fail_next(Endpoint.CHAT, BAD_REQUEST)
    if s.call.is_up:
        await s.says()
        await goes_on(s)


@case("has_an_stt_that_dies_once", WORDS_AT_MOST, brief=True)
async def test_connection_of_the_recogniser_that_dies_once(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    await s.event("died", 10)
    await goes_on(s)


@case("handles_its_errors", NOTHING)
async def test_handler_of_the_developers_own(s: Scene) -> None:
    """It speaks, and the next turn is well: there is nothing left to do."""
    await s.dial()
    await s.greeted()
    s.fail_next(Endpoint.CHAT, BAD_REQUEST)
    s.struck = await s.says()
    await s.event("handled", 10)
    await s.hears("the words of the handler", 8)
    await goes_on(s)


async def is_slow(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = time.monotonic()
    for endpoint, seconds in ((Endpoint.CHAT, 4.5), (Endpoint.SPEECH, 4.5)):
        s.fail_next(endpoint, ProviderFault.slow(seconds))
        asked = await s.says()
        await s.hears("the answer", 10, after=asked)
        if not await s.stays(8):
            return


@case("plain_desk", NOTHING)
async def test_slow_model_and_slow_voice(s: Scene) -> None:
    await is_slow(s)


@case("takes_turns_late", NOTHING)
async def test_slow_model_and_slow_voice_of_late_turns(s: Scene) -> None:
    """The caller hears the slow voice 7.2 s after their last word."""
    await is_slow(s)


@case("plain_desk", NOTHING, alone=True)
async def test_network_blip(s: Scene) -> None:
    """Nothing passes between any two for a moment: the server stands still."""
    await s.dial()
    s.struck = await s.greeted()
    s.stack.kill("livekit-server", signal.SIGSTOP)
    try:
        await s.stays(1.5)
    finally:
        s.stack.kill("livekit-server", signal.SIGCONT)
    if await s.stays(8):
        asked = await s.says()
        await s.hears("the answer", 12, after=asked)
        await s.stays(4)

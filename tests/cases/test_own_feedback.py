"""What onhook does itself must not turn against the call."""

from __future__ import annotations

from tests.cases.case import case
from tests.cases.expected import NOTHING, WORDS_AT_MOST
from tests.cases.layout import Endpoint, ProviderFault, Script, ToolCall
from tests.cases.scene import Scene


async def is_answered_during_the_words(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.fail_next(Endpoint.CHAT, ProviderFault.slow(5.5))
    s.struck = await s.says()
    await s.stays(16)


@case("has_a_soft_ladder_that_hangs_up", WORDS_AT_MOST, brief=True)
async def test_agent_heard_again_during_the_soft_words(s: Scene) -> None:
    await is_answered_during_the_words(s)


@case("has_a_soft_ladder_object", WORDS_AT_MOST)
async def test_agent_heard_again_during_the_words_of_a_ladder(s: Scene) -> None:
    await is_answered_during_the_words(s)


@case("releases_during_the_words", WORDS_AT_MOST)
async def test_release_during_the_soft_words(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.fail_next(Endpoint.CHAT, ProviderFault.slow(30))
    s.struck = await s.says()
    await s.stays(5.5)  # the words came at 4 s, and are long
    await s.go()
    await s.stays(15)
    s.see("the release", s.told("released"))


@case("has_a_voice_with_a_rate_limit", NOTHING, brief=True)
async def test_refused_rendering_with_the_voice_of_the_session(s: Scene) -> None:
    """A 429 for the apology that onhook has rendered is no evidence of anything."""
    await s.dial()
    s.struck = s.call.report().answered_at
    await s.greeted()
    if await s.stays(6):
        asked = await s.says()
        await s.hears("the answer", 12, after=asked)
        await s.stays(3)


@case(
    "is_busy_with_a_voice_with_a_rate_limit",
    NOTHING,
    script=Script(answers=(ToolCall("check"), "The table is free.")),
)
async def test_refused_rendering_of_the_words_of_busy(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    if await s.stays(10):
        await s.hears("the answer", 12)
        await s.stays(3)

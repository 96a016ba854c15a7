"""Turns that end when somebody says so: keys, long pauses, a name that is called."""

from __future__ import annotations

import time

from tests.cases.case import case
from tests.cases.expected import NOTHING
from tests.cases.layout import Script
from tests.cases.scene import Scene


@case("takes_dictation", NOTHING, brief=True)
async def test_dictation_with_pauses(s: Scene) -> None:
    """Manual turns: nothing is owed before the caller presses the key."""
    await s.dial()
    await s.greeted()
    s.struck = await s.says("Please tell the manager that I am late.")
    if not await s.stays(15):
        return
    await s.says("And that I am bringing two friends with me.")
    await s.stays(3)
    await s.call.send_digits("#")
    pressed = time.monotonic()
    await s.event("committed", 5)
    await s.hears("the answer", 12, after=pressed)
    await s.stays(4)


@case("has_push_to_talk", NOTHING)
async def test_push_to_talk(s: Scene) -> None:
    """What is said without the key, or is taken back, is answered by nobody."""
    await s.dial()
    await s.greeted()
    s.struck = await s.says("They do not hear me now.")
    if not await s.stays(9):
        return
    await s.call.send_digits("1")
    await s.says("No, wait, forget it.")
    await s.call.send_digits("3")
    if not await s.stays(12):
        return
    await s.call.send_digits("1")
    await s.says("A table for two please.")
    await s.call.send_digits("2")
    pressed = time.monotonic()
    await s.hears("the answer", 10, after=pressed)
    await s.stays(4)


@case("hears_a_story", NOTHING)
async def test_story_of_a_minute(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = time.monotonic()
    while time.monotonic() < s.struck + 55:
        if not await s.stays(2.0):
            return
        await s.says("And then we went down to the river, where the old boats are, and we waited.")
    told = await s.says("And that is why I need a table for two.")
    await s.hears("the answer", 14, after=told)
    await s.stays(4)


@case("answers_before_the_turn_is_over", NOTHING)
async def test_preemptive_generation(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says("I would like a table. For two. No, for three.")
    await s.hears("the answer", 10)
    await s.stays(15)


@case(
    "plain_desk",
    NOTHING,
    script=Script(answers=("Certainly. " + "The table by the window is free. " * 5, "For three.")),
)
async def test_interruption_of_the_agent(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    await s.hears("the answer", 10)
    await s.stays(2)
    asked = await s.says("Stop, please. I meant a table for three people, not for two.")
    await s.hears("the answer to the interruption", 10, after=asked)
    await s.stays(15)


@case(
    "takes_notes",
    NOTHING,
    script=Script(answers=("I have three points.",), heard=("First point.", "Scribe, read it.")),
)
async def test_agent_that_answers_to_its_name_only(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says("First point. We meet on Monday.")
    await s.event("noted", 10)
    if await s.stays(20):
        asked = await s.says("Scribe, read it to me please.")
        await s.hears("the answer", 10, after=asked)
        await s.stays(4)

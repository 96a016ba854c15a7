"""A tool that waits for something on purpose, and a caller who waits with it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.cases.case import case
from tests.cases.expected import NOTHING
from tests.cases.layout import Answer, Script, ToolCall
from tests.cases.scene import REQUEST, Scene

CARD = Script(
    answers=(
        ToolCall("take_card"),
        "Please type the six digits of your card.",
        "Thank you, the table is booked.",
    )
)
EMAIL = Script(
    answers=(
        ToolCall("take_email"),
        "What is your email address, please?",
        ToolCall("update_email_address", {"email": "ann@example.com"}),
        "Thank you, the table is booked.",
    )
)


async def asks(s: Scene, **metadata: Any) -> None:
    await s.dial(**metadata)
    await s.greeted()
    s.struck = await s.says()


@case("takes_a_card_number", NOTHING, script=CARD)
async def test_card_number_by_keys(s: Scene) -> None:
    """The caller goes to fetch the card for more than a minute."""
    await asks(s)
    await s.hears("the question", 10)
    if await s.stays(68):
        await s.call.send_digits("123456")
        typed = time.monotonic()
        await s.hears("the answer to the digits", 12, after=typed)
        await s.stays(3)


@case("takes_an_email_address", NOTHING, script=EMAIL)
async def test_email_address_by_voice(s: Scene) -> None:
    await asks(s)
    await s.hears("the question", 10)
    if await s.stays(40):
        spelt = await s.says("Ann at example dot com.")
        await s.event("email", 15)
        await s.hears("the answer to the address", 12, after=spelt)
        await s.stays(3)


@case(
    "asks_for_details",
    NOTHING,
    script=Script(answers=(ToolCall("ask_for_details"), "And at what time?", "It is booked.")),
)
async def test_task_that_asks_two_questions(s: Scene) -> None:
    await asks(s)
    await s.hears("the first question", 10)
    if not await s.stays(14):
        return
    told = await s.says("My name is Smith.")
    await s.hears("the second question", 10, after=told)
    if await s.stays(14):
        told = await s.says("At eight.")
        await s.event("told", 12, count=2)
        await s.hears("the end of the task", 12, after=told)
        await s.stays(3)


CALL_BACK = (
    "She will call you back as soon as she can. Shall I write down what it is about? "
    "I can leave her a note, and she will read it before she calls."
)
"""Outlasts the music, which a busy machine plays on for some seconds: only then is it heard to be
something else."""


@case(
    "transfers_warmly",
    NOTHING,
    script=Script(
        answers=(
            ToolCall("fetch_ann"),
            "A caller would like a table for two. Will you take the call?",
            ToolCall("decline_transfer", {"reason": "She is with a guest."}),
            f"Ann is with a guest. {CALL_BACK}",
        ),
        heard=(REQUEST, "Hello, this is Ann.", "No, not now."),
    ),
)
async def test_warm_transfer_with_a_colleague_who_is_briefed(s: Scene) -> None:
    """The framework's own task: a colleague is rung and briefed, and the caller hears music.

    In the end she declines: moving her to the caller takes LiveKit Cloud.
    """
    ann = await s.phone(rings=12, number="+15550777")
    await asks(s, colleague=ann.number, trunk=await s.trunk(ann))
    theirs = await ann.next_call(30)
    await theirs.answered(20)
    await asyncio.sleep(1)
    await s.says("Hello, this is Ann.", theirs)
    await s.hears("the briefing", 15, call=theirs)
    if not await s.stays(25):  # Ann reads the file
        return
    said = await s.says("No, not now.", theirs)
    await s.hears("that Ann declines", 15, after=said)
    await s.stays(5)


@case(
    "dials_a_colleague_and_leaves",
    NOTHING,
    script=Script(answers=(ToolCall("fetch_ann"), "Here is Ann.")),
)
async def test_warm_transfer_into_the_callers_room(s: Scene) -> None:
    """The agent puts music on, dials a colleague to the caller, and leaves the two alone."""
    ann = await s.phone(rings=20, number="+15550779")
    await asks(s, callee=ann.number, trunk=await s.trunk(ann))
    theirs = await ann.next_call(30)
    await theirs.answered(30)
    await s.event("left", 20)
    await asyncio.sleep(2)
    spoke = await s.says("Good evening Ann, a table for two please.")
    await s.hears("the caller, by the colleague", 3, after=spoke - 3, call=theirs)
    await s.stays(20)
    s.see("that the colleague stays", theirs.is_up)


@case(
    "transfers_warmly",
    NOTHING,
    script=Script(answers=(ToolCall("fetch_ann"), f"Ann is not there. {CALL_BACK}")),
)
async def test_warm_transfer_to_nobody(s: Scene) -> None:
    """The colleague's phone rings out, and the agent comes back."""
    ann = await s.phone(number="+15550778")
    ann.answering = Answer(after=120)
    await asks(s, colleague=ann.number, trunk=await s.trunk(ann))
    await s.event("transferring")
    if await s.stays(24):
        await s.hears("that nobody is there", 15)
        await s.stays(4)


@case("holds_with_music", NOTHING, script=Script(answers=(ToolCall("look_it_up"), "It is free.")))
async def test_hold_music_with_the_output_off(s: Scene) -> None:
    await asks(s, seconds=45)
    await s.event("holding", 15)
    if await s.stays(45.5):
        await s.hears("the answer", 10)
        await s.stays(3)


def asked_at(s: Scene) -> float:
    assert s.struck is not None
    return s.struck


CHECK = Script(answers=(ToolCall("check"), "The table is free."))


@case("tells_that_it_is_slow", NOTHING, script=CHECK)
async def test_tool_of_25_seconds_with_the_caller_told_so(s: Scene) -> None:
    await asks(s, seconds=25)
    await s.hears("that it takes a while", 10)
    if await s.stays(24):
        await s.hears("the answer", 12)
        await s.stays(3)


@case("is_busy", NOTHING, script=CHECK)
async def test_tool_of_25_seconds_with_busy(s: Scene) -> None:
    await asks(s, seconds=25)
    if not s.control:
        await s.hears("the words of busy", 12)
    if await s.stays(asked_at(s) + 25 - time.monotonic()):
        await s.hears("the answer", 12)
        await s.stays(3)


@case("has_thinking_sounds", NOTHING, script=CHECK)
async def test_thinking_sounds_while_a_tool_runs(s: Scene) -> None:
    await asks(s, seconds=14)
    if await s.stays(14):
        await s.hears("the answer", 12)
        await s.stays(3)


@case(
    "hands_over_to_a_slow_manager",
    NOTHING,
    script=Script(answers=(ToolCall("hand_over"), "Certainly.")),
)
async def test_handoff_that_loads_for_five_seconds(s: Scene) -> None:
    await asks(s)
    loading = await s.event("loading", 15)
    await s.hears("the manager", 12, after=loading + 4)
    await s.stays(8)

"""Sessions, jobs and calls that end without an error, and a caller who is still there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from livekit import api
from livekit.protocol.models import ParticipantInfo

from tests.cases.case import case
from tests.cases.expected import NOTHING, Expected, released, words
from tests.cases.layout import ReferAnswer, Script, ToolCall
from tests.cases.scene import AGAIN, Scene
from tests.cases.side_by_side import OBSERVED

END_CALL = Script(answers=(ToolCall("end_call"), "Goodbye."))
AT_ONCE = released(2)


async def asks(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await s.says()
    s.struck = await s.event("struck", 20)
    await s.stays(25)


async def tells(s: Scene, **metadata: Any) -> None:
    """Let the agent do what it does when it is told to."""
    await s.dial(**metadata)
    await s.greeted()
    await asyncio.sleep(1)
    await s.go()
    s.struck = await s.event("struck", 20)


async def is_told(s: Scene) -> None:
    await tells(s)
    await s.stays(25)


@case("shuts_its_session_down_in_a_tool", AT_ONCE, script=END_CALL, brief=True)
async def test_session_shut_down_by_a_tool(s: Scene) -> None:
    await asks(s)


@case("shuts_its_session_down_at_a_goodbye", AT_ONCE)
async def test_session_shut_down_by_a_handler(s: Scene) -> None:
    await asks(s)


@case("closes_its_session_in_a_task", AT_ONCE, script=END_CALL)
async def test_session_closed_by_a_task(s: Scene) -> None:
    await asks(s)


@case("closes_its_session_and_returns", AT_ONCE)
async def test_session_closed_at_the_end_of_the_entrypoint(s: Scene) -> None:
    await is_told(s)


@case("drains_its_session", AT_ONCE)
async def test_session_that_drains_a_goodbye(s: Scene) -> None:
    """The goodbye is said to its end, and then the line is released."""
    await is_told(s)


@case("shuts_down_slowly", AT_ONCE, brief=True)
async def test_job_whose_session_takes_20_seconds_to_close(s: Scene) -> None:
    await is_told(s)


@case("leaves_slowly", AT_ONCE)
async def test_job_whose_agent_takes_20_seconds_to_leave(s: Scene) -> None:
    await is_told(s)


@case("has_the_end_call_tool", Expected(by_agent=True), script=END_CALL)
async def test_end_call_tool_of_the_framework(s: Scene) -> None:
    """The agent says goodbye and ends the call itself."""
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    await s.hears("the goodbye", 10)
    s.see("the end of the call", not await s.stays(20))


@case("is_linked_to_one_of_two", words(6, released=18))
async def test_linked_caller_hangs_up_and_another_phone_is_there(s: Scene) -> None:
    """The session ends with its caller; the second caller is left with nobody."""
    first = await s.dial()
    await s.greeted()
    second = await s.dial_in(s.room, await s.phone(number="+15550888"))
    await asyncio.sleep(2)
    s.judged = second
    await first.hang_up()
    s.struck = time.monotonic()
    if await s.stays(12):
        await s.says(AGAIN)
        await s.stays(15)


FAR_END = 14.1
"""Seconds from the REFER to the answer of the far end."""


async def is_referred(s: Scene, *notify: int, far_end: float = FAR_END) -> None:
    await s.dial()
    await s.greeted()
    s.call.on_refer = ReferAnswer(notify=notify, pause=far_end / 3)
    await s.go()
    await s.call.referred(15)
    s.struck = time.monotonic()
    await s.event("struck", 15)
    up = await s.stays(s.struck + far_end - 1 - time.monotonic())
    s.see("that the line is held while it rings at the far end", up)


@case("refers_and_leaves", Expected(by_agent=True), brief=True)
async def test_transfer_that_still_rings_when_the_job_ends(s: Scene) -> None:
    """The request times out after 5 s, the job ends, and the far end answers after 14 s."""
    await is_referred(s, 100, 180, 200)
    s.see("the end of the caller's leg", not await s.stays(10))


@case("refers_and_leaves", Expected(by_agent=True))
async def test_transfer_that_rings_for_longer_than_its_job_may_live(s: Scene) -> None:
    """The framework kills the job ten seconds after its end; the far end answers then."""
    await is_referred(s, 100, 180, 200, far_end=25.0)
    s.see("the end of the caller's leg", not await s.stays(10))


@case("refers_for_a_minute_and_leaves", Expected(by_agent=True))
async def test_transfer_that_may_ring_for_a_minute(s: Scene) -> None:
    """Its job is gone for half a minute when the far end answers."""
    await is_referred(s, 100, 180, 200, far_end=50.0)
    s.see("the end of the caller's leg", not await s.stays(10))


@case("refers_and_is_killed", Expected(by_agent=True))
async def test_transfer_that_still_rings_when_the_job_is_killed(s: Scene) -> None:
    await is_referred(s, 100, 180, 200)
    s.see("the end of the caller's leg", not await s.stays(10))


IN_TIME = 30.0
"""Seconds that a transfer may take by default: where nobody can ask for its outcome, they tell."""


IN_VAIN = words(IN_TIME, released=IN_TIME) if OBSERVED else words(15.5, released=28)


@case("refers_and_leaves", IN_VAIN)
async def test_transfer_that_fails_when_the_job_has_ended(s: Scene) -> None:
    """The far end does not answer: the caller is then left with nobody."""
    await is_referred(s, 100, 180, 486)
    await s.stays(20)


@case("refers_and_is_killed", words(IN_TIME, released=IN_TIME + 6))
async def test_transfer_that_fails_when_the_job_was_killed(s: Scene) -> None:
    await is_referred(s, 100, 180, 486)
    await s.stays(25)


async def is_handed_over(s: Scene) -> None:
    await tells(s)
    await s.hears("the other agent", 12, after=s.struck)
    if await s.stays(4):
        asked = await s.says()
        await s.hears("its answer", 12, after=asked)
        await s.stays(4)


@case("sends_for_another_and_leaves", NOTHING, brief=True)
async def test_agent_that_sends_for_another_and_leaves(s: Scene) -> None:
    await is_handed_over(s)


@case("sends_for_another_and_ends_its_session", NOTHING)
async def test_agent_that_sends_for_another_and_ends_its_session(s: Scene) -> None:
    await is_handed_over(s)


@case("sends_for_nobody_and_leaves", words(9, released=16))
async def test_agent_that_sends_for_one_that_never_comes(s: Scene) -> None:
    await is_told(s)


@case("rings_a_colleague_and_leaves", NOTHING)
async def test_agent_that_rings_a_colleague_and_leaves(s: Scene) -> None:
    ann = await s.phone(rings=20, number="+15550778")
    await tells(s, callee=ann.number, trunk=await s.trunk(ann))
    theirs = await ann.next_call(20)
    await theirs.answered(30)
    await asyncio.sleep(2)
    spoke = await s.says("Hello Ann, can we have a table for two?")
    await s.hears("the caller, by the colleague", 3, after=spoke - 4, call=theirs)
    await s.stays(10)
    s.see("that the colleague stays", theirs.is_up)


@case("rings_a_colleague_and_leaves", words(31, released=37))
async def test_agent_that_rings_a_colleague_who_never_answers(s: Scene) -> None:
    ann = await s.phone(rings=100, number="+15550779")
    await tells(s, callee=ann.number, trunk=await s.trunk(ann))
    await s.stays(42)


@case("plain_desk", words(2, released=8))
async def test_agent_that_is_taken_out_of_the_room(s: Scene) -> None:
    """By a dashboard or the server's API: the caller stays behind."""
    await s.dial()
    await s.greeted()
    agent = await s.person(ParticipantInfo.Kind.AGENT)
    s.struck = time.monotonic()
    async with s.api() as server:
        out = api.RoomParticipantIdentity(room=s.room, identity=agent.identity)
        await server.room.remove_participant(out)
    await s.stays(25)

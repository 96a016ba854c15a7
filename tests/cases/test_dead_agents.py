"""Agents whose code, process or worker is gone: their callers are safe within the bound."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.cases.case import Surroundings, case
from tests.cases.expected import NOTHING, words
from tests.cases.layout import Script, ToolCall
from tests.cases.scene import AGAIN, Scene

CRASHED = words(0.4, released=12)
KILLED = words(1, released=12)
STUCK = words(6, released=26)


async def is_told(s: Scene, seconds: float = 20.0, **metadata: Any) -> None:
    await s.dial(**metadata)
    await s.greeted()
    await asyncio.sleep(2)
    await s.go()
    s.struck = await s.event("struck", 15)
    await s.stays(seconds)


@case("raises_while_it_rings", CRASHED)
async def test_entrypoint_that_raises_while_it_rings(s: Scene) -> None:
    await s.dial(answered=False)
    s.struck = await s.event("struck", 15)
    await s.stays(20)


@case("crashes_when_told", CRASHED)
async def test_entrypoint_that_raises(s: Scene) -> None:
    await is_told(s)


@case("exits_when_told", KILLED)
async def test_entrypoint_that_exits(s: Scene) -> None:
    await is_told(s)


@case("fails_to_start_its_session", words(0.5, released=12))
async def test_session_that_fails_to_start(s: Scene) -> None:
    await s.dial(answered=False)
    s.struck = await s.event("struck", 15)
    await s.stays(20)


@case("is_killed_when_told", KILLED)
async def test_job_that_is_killed(s: Scene) -> None:
    await is_told(s)


@case("exits_hard", KILLED)
async def test_job_that_exits_hard(s: Scene) -> None:
    await is_told(s)


@case("is_stopped_when_told", words(4, released=25))
async def test_job_that_is_stopped(s: Scene) -> None:
    await is_told(s, 30.0)


@case("has_its_worker_killed", KILLED, own=Surroundings())
async def test_worker_that_is_killed_with_its_jobs(s: Scene) -> None:
    await is_told(s, worker=s.worker.process.pid)


@case("releases_its_caller", NOTHING)
async def test_caller_who_is_released_on_purpose(s: Scene) -> None:
    await s.dial()
    s.struck = await s.event("released", 30)
    await s.stays(20)


async def speaks_again(s: Scene) -> None:
    if await s.stays(9):
        await s.says(AGAIN)
        await s.stays(18)


@case("hangs_in_a_tool", words(30.5, released=45), script=Script(answers=(ToolCall("book"), "-")))
async def test_tool_that_hangs(s: Scene) -> None:
    """A tool has thirty seconds, of which the caller hears nothing."""
    await s.dial()
    await s.greeted()
    await s.says()
    s.struck = await s.event("struck", 15)
    await s.stays(60)


@case("raises_at_every_turn", STUCK)
async def test_handler_of_turns_that_raises(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    s.struck = await s.says()
    await speaks_again(s)


@case(
    "hands_over_to_nobody", words(6), script=Script(answers=(ToolCall("hand_over"), "Certainly."))
)
async def test_handoff_that_fails(s: Scene) -> None:
    """The manager has no first word, and answers what is said next."""
    await s.dial()
    await s.greeted()
    await s.says()
    s.struck = await s.event("struck", 15)
    if await s.stays(11):
        asked = await s.says(AGAIN)
        await s.hears("the answer to the next words", 10, after=asked)
        await s.stays(5)

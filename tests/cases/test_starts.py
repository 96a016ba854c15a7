"""Phones that ring while an agent gets ready, and agents that never say their first word."""

from __future__ import annotations

from tests.cases.case import case
from tests.cases.expected import NOTHING, words
from tests.cases.layout import PhoneError
from tests.cases.scene import Scene
from tests.cases.test_company import speaks_up

PLACEHOLDER = words(10, released=20)


async def is_greeted_and_answered(s: Scene) -> None:
    try:
        s.struck = await s.call.answered(40)
        await s.greeted(15)
    except (PhoneError, AssertionError):
        s.see("the greeting", seen=False)
        await s.stays(10)
        return
    asked = await s.says()
    await s.hears("the answer", 10, after=asked)
    await s.stays(3)


@case("sets_up_slowly", NOTHING, brief=True)
async def test_set_up_of_ten_seconds(s: Scene) -> None:
    await s.dial(answered=False, seconds=10)
    await is_greeted_and_answered(s)


@case("rings_a_person_first", NOTHING)
async def test_browser_of_a_person_is_rung_first(s: Scene) -> None:
    await s.dial(answered=False)
    if await s.stays(15):
        await speaks_up(await s.join("ann"))
    await is_greeted_and_answered(s)


@case("hangs_behind_ambience", PLACEHOLDER)
async def test_hangs_behind_ambience(s: Scene) -> None:
    await s.dial()
    s.struck = await s.event("struck", 15)
    await s.stays(25)


@case("hangs_behind_a_beep", PLACEHOLDER, brief=True)
async def test_hangs_behind_a_placeholder(s: Scene) -> None:
    await s.dial()
    s.struck = await s.event("struck", 15)
    await s.stays(25)


@case("hangs_behind_an_empty_track", PLACEHOLDER)
async def test_hangs_behind_an_empty_track(s: Scene) -> None:
    await s.dial()
    s.struck = await s.event("struck", 15)
    await s.stays(25)


@case("hangs_while_it_rings", words(20.5, released=31))
async def test_hangs_while_it_rings(s: Scene) -> None:
    await s.dial(answered=False)
    s.struck = await s.event("struck", 15)
    await s.stays(40)

"""Calls that the agent makes: phones that ring, machines that answer, menus to walk through."""

from __future__ import annotations

import asyncio
import time

from tests.cases.case import case
from tests.cases.expected import NOTHING
from tests.cases.layout import PhoneError, Script, ToolCall
from tests.cases.scene import REQUEST, Scene
from tests.cases.sounds import melody

VOICEMAIL = (
    "Hello, you have reached the voice mail of Ann Smith. I am not at my desk at the moment, or "
    "I am speaking with somebody else. Please leave a message with your name and your number "
    "after the tone, and I will call you back as soon as I can. Thank you for your call."
)


async def rings_for(s: Scene, seconds: float) -> None:
    phone = await s.phone(rings=seconds)
    call = await s.called(phone)
    await s.event("started")
    try:
        s.struck = await call.answered(seconds + 10)
    except PhoneError:
        s.see("the answer of the callee", seen=False)
        return
    await s.hears("the greeting at the answer", 5, after=s.struck)
    await s.stays(12)


@case("has_its_greeting_ready", NOTHING, brief=True)
async def test_greeting_ready_while_it_rings(s: Scene) -> None:
    await rings_for(s, 20)


@case("has_its_answer_ready", NOTHING)
async def test_answer_of_the_model_ready_while_it_rings(s: Scene) -> None:
    await rings_for(s, 25)


@case(
    "finds_out_who_answered",
    NOTHING,
    script=Script(answers=(ToolCall("save_prediction", {"label": "uncertain"}), "Certainly.")),
)
async def test_answering_machine_detection_of_a_silent_callee(s: Scene) -> None:
    """The agent's speech is held for the ten seconds in which nobody says a word."""
    call = await s.called(await s.phone(rings=2))
    s.struck = await call.answered(20)
    await s.event("verdict", 30)
    await s.hears("the greeting", 6, after=s.struck + 8)
    await s.stays(6)


@case(
    "finds_out_who_answered",
    NOTHING,
    script=Script(
        answers=(ToolCall("save_prediction", {"label": "machine-vm"}), "Goodbye."),
        heard=(VOICEMAIL,),
    ),
)
async def test_answering_machine_detection_of_a_voice_mail(s: Scene) -> None:
    """The agent's speech is held while the machine speaks."""
    call = await s.called(await s.phone(rings=2))
    s.struck = await call.answered(20)
    await asyncio.sleep(1)
    await s.says(VOICEMAIL)
    await s.event("verdict", 30)
    await s.hears("the message", 10)
    await s.stays(12)


async def is_put_through(s: Scene, times: int) -> None:
    await s.says("Welcome. For reservations please press one. For sales please press two.")
    for _ in range(times):
        if not await s.stays(13):
            return
        await s.says("Please stay on the line. Your call is important to us.")
    await s.stays(8)


@case("waits_in_a_menu", NOTHING)
async def test_on_hold_in_a_phone_menu(s: Scene) -> None:
    """The agent is silent on purpose: it answers every announcement with StopResponse."""
    call = await s.called(await s.phone(rings=1))
    await call.answered(20)
    await s.event("answered")
    await asyncio.sleep(1.5)
    s.struck = time.monotonic()
    await is_put_through(s, 3)
    s.see("the key", "1" in "".join(d.digit for d in call.report().digits))
    s.see("the announcements", s.told("announcement"))


@case(
    "walks_through_a_menu",
    NOTHING,
    script=Script(
        answers=(ToolCall("send_dtmf_events", {"events": ["2"]}), "", "", ""),
        heard=("For reservations please press one. For sales press two.", "Please stay on line."),
    ),
    brief=True,
)
async def test_through_a_phone_menu_with_empty_answers(s: Scene) -> None:
    """The model presses a key, and gives empty answers until a person is there."""
    call = await s.called(await s.phone(rings=1))
    await call.answered(20)
    await s.event("answered")
    await asyncio.sleep(1.5)
    s.struck = time.monotonic()
    await is_put_through(s, 2)
    s.see("the key", "2" in "".join(d.digit for d in call.report().digits))


@case(
    "navigates_a_menu",
    NOTHING,
    script=Script(
        answers=(ToolCall("send_dtmf_events", {"events": ["2"]}), ""),
        heard=("For reservations please press one. For sales press two.", "Please stay on line."),
    ),
)
async def test_through_a_phone_menu_with_the_frameworks_navigation(s: Scene) -> None:
    call = await s.called(await s.phone(rings=1))
    await call.answered(20)
    await s.event("answered")
    await asyncio.sleep(1.5)
    s.struck = time.monotonic()
    await is_put_through(s, 2)
    s.see("the key", "2" in "".join(d.digit for d in call.report().digits))


@case(
    "walks_through_a_menu",
    NOTHING,
    script=Script(answers=("", "Good day, I would like a table."), heard=("Please hold.", REQUEST)),
)
async def test_hold_music_of_the_callee(s: Scene) -> None:
    """A minute of music, then a person."""
    call = await s.called(await s.phone(rings=1))
    await call.answered(20)
    await s.event("answered")
    await asyncio.sleep(1.5)
    s.struck = await s.says("Please hold.")
    await call.play(melody(60))
    if call.is_up:
        asked = await s.says("Hello, this is Ann, how may I help you?")
        await s.hears("the answer to the person", 12, after=asked)
        await s.stays(3)

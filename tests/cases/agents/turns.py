"""Agents whose turns end when somebody says so."""

from __future__ import annotations

from livekit import rtc
from livekit.agents import Agent, JobContext, StopResponse, llm

import onhook
from tests.cases.agents.energy_stt import EnergySTT
from tests.cases.agents.parts import Desk, agent, greet, mark, session, talking


@agent
@onhook.guard
async def takes_dictation(ctx: JobContext) -> None:
    made = session(stt=EnergySTT(), turn_detection="manual")
    await made.start(Agent(instructions="Take the dictation."), room=ctx.room)

    def pressed(event: rtc.SipDTMF) -> None:
        if event.digit == "#":
            mark("committed")
            made.commit_user_turn()

    ctx.room.on("sip_dtmf_received", pressed)
    await greet(made, "Please dictate your message, and press the hash key when you are done.")


@agent
@onhook.guard
async def has_push_to_talk(ctx: JobContext) -> None:
    """Hear the caller between two keys only; a third drops what was said."""
    made = session(stt=EnergySTT(), turn_detection="manual")
    await made.start(Desk(), room=ctx.room)
    made.input.set_audio_enabled(False)

    def pressed(event: rtc.SipDTMF) -> None:
        if event.digit == "1":
            made.interrupt()
            made.clear_user_turn()
            made.input.set_audio_enabled(True)
        elif event.digit == "2":
            made.input.set_audio_enabled(False)
            mark("committed")
            made.commit_user_turn()
        elif event.digit == "3":
            made.input.set_audio_enabled(False)
            made.clear_user_turn()

    ctx.room.on("sip_dtmf_received", pressed)
    await greet(made, "Press one, speak, and press two.")


@agent
@onhook.guard
async def hears_a_story(ctx: JobContext) -> None:
    """Give the caller time: a turn ends after a long pause only."""
    await talking(
        ctx,
        stt=EnergySTT(),
        turn_handling={"endpointing": {"mode": "fixed", "min_delay": 4.0, "max_delay": 8.0}},
    )


@agent
@onhook.guard
async def takes_turns_late(ctx: JobContext) -> None:
    """Wait as long as a stock session that believes that the caller goes on."""
    endpointing = {"mode": "fixed", "min_delay": 2.5, "max_delay": 2.5}
    await talking(ctx, turn_handling={"endpointing": endpointing})


@agent
@onhook.guard
async def answers_before_the_turn_is_over(ctx: JobContext) -> None:
    preemptive = {"preemptive_generation": {"enabled": True, "preemptive_tts": True}}
    await talking(ctx, stt=EnergySTT(), turn_handling=preemptive)


class Scribe(Agent):
    """Takes notes, and answers only what is said to it."""

    def __init__(self) -> None:
        super().__init__(instructions="Take notes.")

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        mark("noted")
        if "scribe" not in (new_message.text_content or "").lower():
            raise StopResponse


@agent
@onhook.guard
async def takes_notes(ctx: JobContext) -> None:
    await talking(ctx, Scribe())

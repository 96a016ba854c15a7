"""Agents that call somebody."""

from __future__ import annotations

import asyncio

from livekit.agents import AMD, Agent, JobContext, StopResponse, llm
from livekit.agents.beta.tools import send_dtmf_events

import onhook
from tests.agents.faults import GREETING
from tests.cases.agents.parts import Desk, agent, dial, mark, session


class SaysAtOnce(Desk):
    async def on_enter(self) -> None:
        self.session.say(GREETING)


class AnswersAtOnce(Desk):
    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Greet the callee.")


class Listener(Agent):
    """Waits in a phone menu for a person, and is silent until then."""

    def __init__(self) -> None:
        super().__init__(instructions="Wait for a person.")
        self.pressed = False

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        mark("announcement")
        if not self.pressed:
            self.pressed = True
            room = self.session.room_io.room
            await room.local_participant.publish_dtmf(code=1, digit="1")
        raise StopResponse


async def calls_with(ctx: JobContext, caller: Agent) -> None:
    """Have the session ready before the callee's phone rings."""
    await ctx.connect()
    await session().start(caller, room=ctx.room)
    mark("started")
    await dial(ctx)


@agent
@onhook.guard
async def has_its_greeting_ready(ctx: JobContext) -> None:
    await calls_with(ctx, SaysAtOnce())


@agent
@onhook.guard
async def has_its_answer_ready(ctx: JobContext) -> None:
    await calls_with(ctx, AnswersAtOnce())


@agent
@onhook.guard
async def waits_in_a_menu(ctx: JobContext) -> None:
    await calls_with(ctx, Listener())


@agent
@onhook.guard
async def walks_through_a_menu(ctx: JobContext) -> None:
    """The framework's own way: the model presses keys, and says nothing else on purpose."""
    await ctx.connect()
    made = session(tools=[send_dtmf_events])
    await made.start(Agent(instructions="Press 2 for sales. Else say nothing."), room=ctx.room)
    await dial(ctx)


@agent
@onhook.guard
async def navigates_a_menu(ctx: JobContext) -> None:
    """The framework asks the model again whenever nobody has spoken for five seconds."""
    await ctx.connect()
    made = session(ivr_detection=True)
    await made.start(Agent(instructions="Press 2 for sales. Else say nothing."), room=ctx.room)
    await dial(ctx)


@agent
@onhook.guard
async def finds_out_who_answered(ctx: JobContext) -> None:
    """Hold all speech until it is known whether a person or a machine has answered."""
    await ctx.connect()
    made = session()
    await made.start(Desk(), room=ctx.room)
    async with AMD(made, llm=None, stt=None, suppress_compatibility_warning=True) as detector:
        await dial(ctx)
        made.say(GREETING)  # queued, as any speech is
        result = await detector.execute()
    mark("verdict", category=str(result.category))
    if result.is_machine:
        await made.say("This is the front desk. Please call us back.").wait_for_playout()
    mark("greeted")
    await asyncio.Event().wait()

"""Agents that wait for something on purpose: digits, an address, a colleague, a slow system."""

from __future__ import annotations

import asyncio

from livekit import rtc
from livekit.agents import (
    Agent,
    AgentTask,
    AudioConfig,
    BackgroundAudioPlayer,
    BuiltinAudioClip,
    JobContext,
    RunContext,
    function_tool,
    llm,
)
from livekit.agents.beta.workflows import GetEmailTask, WarmTransferTask
from livekit.agents.beta.workflows.dtmf_inputs import GetDtmfTask

import onhook
from tests.cases.agents.parts import Desk, agent, dial, greet, mark, metadata, session, talking


class CardDesk(Desk):
    @function_tool
    async def take_card(self, context: RunContext[None]) -> str:
        """Take the number of the card."""
        result = await GetDtmfTask(num_digits=6)
        mark("digits", got=result.user_input)
        return f"The number is {result.user_input}."


class EmailDesk(Desk):
    @function_tool
    async def take_email(self, context: RunContext[None]) -> str:
        """Take the address of the caller."""
        result = await GetEmailTask(require_confirmation=False)
        mark("email", got=result.email_address)
        return f"The address is {result.email_address}."


class AskTwice(AgentTask[str]):
    """Asks for the name, and then for the time."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for the name and the time.")
        self.answers = 0

    async def on_enter(self) -> None:
        self.session.say("Which name is it, please?")

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        self.answers += 1
        mark("told", count=self.answers)
        if self.answers == 2:
            self.complete("Smith, at eight")


class AskingDesk(Desk):
    @function_tool
    async def ask_for_details(self, context: RunContext[None]) -> str:
        """Ask for name and time."""
        return await AskTwice()


class TransferDesk(Desk):
    @function_tool
    async def fetch_ann(self, context: RunContext[None]) -> str:
        """Put the caller through to Ann."""
        mark("transferring")
        result = await WarmTransferTask(
            metadata["colleague"], sip_trunk_id=metadata["trunk"], ringing_timeout=25
        )
        mark("merged", identity=result.human_agent_identity)
        return "Ann is on the line."


class HoldDesk(Desk):
    """Puts callers on hold by hand: the agent's output off, music on a track of its own."""

    def __init__(self, room: rtc.Room) -> None:
        super().__init__()
        self.room = room

    @function_tool
    async def look_it_up(self, context: RunContext[None]) -> str:
        """Look it up in the cellar."""
        made = self.session
        await made.say("I will put you on hold for a moment.").wait_for_playout()
        player = BackgroundAudioPlayer()
        await player.start(room=self.room)
        music = player.play(AudioConfig(BuiltinAudioClip.HOLD_MUSIC, volume=0.8), loop=True)
        for sides in (made.input, made.output):
            sides.set_audio_enabled(False)
        made.output.set_transcription_enabled(False)
        mark("holding")
        await asyncio.sleep(metadata["seconds"])
        music.stop()
        await asyncio.sleep(1)
        for sides in (made.input, made.output):
            sides.set_audio_enabled(True)
        made.output.set_transcription_enabled(True)
        return "The table is free."


class DiallingDesk(Desk):
    """Transfers by hand, as where colleagues cannot be moved between rooms."""

    def __init__(self, ctx: JobContext) -> None:
        super().__init__()
        self.ctx = ctx

    @function_tool
    async def fetch_ann(self, context: RunContext[None]) -> None:
        """Put the caller through to Ann."""
        player = BackgroundAudioPlayer()
        await player.start(room=self.ctx.room)
        player.play(AudioConfig(BuiltinAudioClip.HOLD_MUSIC, volume=0.8), loop=True)
        await dial(self.ctx, "ann")
        await player.aclose()
        mark("left")
        self.ctx.shutdown("Ann has the call")


class SlowDesk(Desk):
    @function_tool
    async def check(self, context: RunContext[None]) -> str:
        """Ask the other house, which takes its time, and tell the caller so."""
        context.session.say("This takes half a minute. Please stay on the line.")
        await asyncio.sleep(metadata["seconds"])
        return "The table is free."


class QuietSlowDesk(Desk):
    @function_tool
    async def check(self, context: RunContext[None]) -> str:
        """Ask the other house, with thinking sounds meanwhile."""
        await asyncio.sleep(metadata["seconds"])
        return "The table is free."


class BusyDesk(Desk):
    @function_tool
    async def check(self, context: RunContext[None]) -> str:
        """Ask the other house, and have onhook tell the caller so."""
        async with onhook.busy("I am still looking."):
            await asyncio.sleep(metadata["seconds"])
        return "The table is free."


class Manager(Agent):
    """Is slow to take the call: a profile, a model."""

    def __init__(self) -> None:
        super().__init__(instructions="Go on.")

    async def on_enter(self) -> None:
        mark("loading")
        await asyncio.sleep(5)
        self.session.say("Good day, this is the manager.")


class HandoffDesk(Desk):
    @function_tool
    async def hand_over(self, context: RunContext[None]) -> Agent:
        """Hand the caller to the manager."""
        return Manager()


@agent
@onhook.guard
async def takes_a_card_number(ctx: JobContext) -> None:
    await talking(ctx, CardDesk())


@agent
@onhook.guard
async def takes_an_email_address(ctx: JobContext) -> None:
    await talking(ctx, EmailDesk())


@agent
@onhook.guard
async def asks_for_details(ctx: JobContext) -> None:
    await talking(ctx, AskingDesk())


@agent
@onhook.guard
async def transfers_warmly(ctx: JobContext) -> None:
    await talking(ctx, TransferDesk())


@agent
@onhook.guard
async def dials_a_colleague_and_leaves(ctx: JobContext) -> None:
    await talking(ctx, DiallingDesk(ctx))


@agent
@onhook.guard
async def holds_with_music(ctx: JobContext) -> None:
    await talking(ctx, HoldDesk(ctx.room))


@agent
@onhook.guard
async def tells_that_it_is_slow(ctx: JobContext) -> None:
    await talking(ctx, SlowDesk())


@agent
@onhook.guard
async def is_busy(ctx: JobContext) -> None:
    await talking(ctx, BusyDesk())


@agent
@onhook.guard
async def hands_over_to_a_slow_manager(ctx: JobContext) -> None:
    await talking(ctx, HandoffDesk())


@agent
@onhook.guard
async def has_thinking_sounds(ctx: JobContext) -> None:
    made = session()
    await made.start(QuietSlowDesk(), room=ctx.room)
    player = BackgroundAudioPlayer(
        thinking_sound=AudioConfig(BuiltinAudioClip.KEYBOARD_TYPING, volume=0.8)
    )
    await player.start(room=ctx.room, agent_session=made)
    await greet(made)
    await asyncio.Event().wait()

"""Agents whose callers are silent, murmur, or are asked whether they are still there."""

from __future__ import annotations

import asyncio
import time

from livekit import rtc
from livekit.agents import JobContext, RunContext, UserStateChangedEvent, function_tool

import onhook
from tests.cases.agents.parts import Desk, agent, greet, mark, metadata, session, talking


@agent
@onhook.guard
async def plain_desk(ctx: JobContext) -> None:
    """Greet, and answer every turn as the provider does."""
    await talking(ctx)


@agent
@onhook.guard
async def asks_are_you_still_there(ctx: JobContext) -> None:
    made = session(user_away_timeout=8.0)

    def changed(event: UserStateChangedEvent) -> None:
        if event.new_state == "away":
            mark("asked")
            made.say("Are you still there?")

    made.on("user_state_changed", changed)
    await made.start(Desk(), room=ctx.room)
    await greet(made)


@agent
@onhook.guard
async def has_a_menu(ctx: JobContext) -> None:
    """Take keys only, from a caller who need not say a word."""
    made = session()
    await made.start(Desk(), room=ctx.room)

    def pressed(event: rtc.SipDTMF) -> None:
        mark("pressed", digit=event.digit)
        made.say(f"You have chosen {event.digit}. We are open from nine to five.")

    ctx.room.on("sip_dtmf_received", pressed)
    await greet(made, "For our opening hours press one. For the address press two.")


class BlockingDesk(Desk):
    @function_tool
    async def book(self, context: RunContext[None]) -> str:
        """Book a table in a way that blocks the job's event loop."""
        mark("struck")
        time.sleep(metadata["seconds"])  # noqa: ASYNC251 - that is the fault
        mark("back")
        return "The table is booked."


@agent
@onhook.guard
async def blocks_its_loop(ctx: JobContext) -> None:
    await talking(ctx, BlockingDesk())


@agent
@onhook.guard
async def blocks_its_loop_when_told(ctx: JobContext) -> None:
    made = await talking(ctx)
    del made

    def block(_: rtc.DataPacket) -> None:
        mark("struck")
        time.sleep(metadata["seconds"])
        mark("back")

    ctx.room.on("data_received", block)
    await asyncio.Event().wait()

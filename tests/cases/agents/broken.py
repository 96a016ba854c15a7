"""Agents whose own code or process breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from livekit import rtc
from livekit.agents import Agent, JobContext, RunContext, function_tool, llm
from livekit.plugins import openai

import onhook
from tests.cases.agents.parts import (
    Desk,
    agent,
    greet,
    mark,
    metadata,
    session,
    talking,
    talking_until_told,
)


@agent
@onhook.guard
async def raises_while_it_rings(ctx: JobContext) -> None:
    await ctx.connect()
    mark("struck")
    raise RuntimeError("the customer database is down")


@agent
@onhook.guard
async def exits_when_told(ctx: JobContext) -> None:
    await talking_until_told(ctx)
    mark("struck")
    sys.exit(3)


class Unstartable(openai.LLM):
    def prewarm(self, **_: Any) -> None:
        mark("struck")
        raise RuntimeError("the model could not be loaded")


@agent
@onhook.guard
async def fails_to_start_its_session(ctx: JobContext) -> None:
    await ctx.connect()
    model = Unstartable(base_url=metadata["provider"], api_key="k")
    await session().start(Desk(llm=model), room=ctx.room)


class HangingDesk(Desk):
    @function_tool
    async def book(self, context: RunContext[None]) -> str:
        """Book a table, in a system that never answers."""
        mark("struck")
        await asyncio.Event().wait()
        return "Never."


class RaisingDesk(Desk):
    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        raise RuntimeError("the memory of the conversation is down")


class Mute(Agent):
    """Takes a call over, and fails before its first word."""

    def __init__(self) -> None:
        super().__init__(instructions="Go on.")

    async def on_enter(self) -> None:
        mark("struck")
        raise RuntimeError("there is no such manager")


class HandoffDesk(Desk):
    @function_tool
    async def hand_over(self, context: RunContext[None]) -> Agent:
        """Hand the caller to the manager."""
        return Mute()


@agent
@onhook.guard
async def hangs_in_a_tool(ctx: JobContext) -> None:
    await talking(ctx, HangingDesk())


@agent
@onhook.guard
async def raises_at_every_turn(ctx: JobContext) -> None:
    await talking(ctx, RaisingDesk())


@agent
@onhook.guard
async def hands_over_to_nobody(ctx: JobContext) -> None:
    await talking(ctx, HandoffDesk())


@agent
@onhook.guard
async def is_stopped_when_told(ctx: JobContext) -> None:
    def stop(_: rtc.DataPacket) -> None:
        mark("struck")
        os.kill(os.getpid(), signal.SIGSTOP)

    ctx.room.on("data_received", stop)
    await talking(ctx)


@agent
@onhook.guard
async def has_its_worker_killed(ctx: JobContext) -> None:
    """Lose the worker with all its jobs, as where a container is killed."""

    def kill(_: rtc.DataPacket) -> None:
        mark("struck")
        os.killpg(metadata["worker"], signal.SIGKILL)

    ctx.room.on("data_received", kill)
    await talking(ctx)


@agent
@onhook.guard
async def releases_its_caller(ctx: JobContext) -> None:
    """Leave the caller on purpose, alone and in silence."""
    made = session()
    await made.start(Desk(), room=ctx.room)
    await greet(made)
    onhook.release(ctx, "a machine of the caller's takes over")
    await made.aclose()
    mark("released")
    ctx.shutdown("released")

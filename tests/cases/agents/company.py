"""Agents with more than one caller, and with company that can or cannot speak."""

from __future__ import annotations

import asyncio
import os
import signal

from livekit import rtc
from livekit.agents import Agent, JobContext

import onhook
from tests.agents.faults import until
from tests.cases.agents.parts import (
    Desk,
    agent,
    dial,
    go,
    greet,
    mark,
    metadata,
    session,
    talking,
    talking_until_told,
)


@agent
@onhook.guard
async def fetches_a_colleague(ctx: JobContext) -> None:
    """Dial a colleague into the caller's room, and stay as a listener."""
    await talking(ctx, Agent(instructions="Listen."))
    await dial(ctx, "colleague")
    mark("together")


@agent
@onhook.guard
async def says_goodbye_when_told(ctx: JobContext) -> None:
    made = session()
    await made.start(Desk(), room=ctx.room)
    told = go(ctx)
    await greet(made)
    await told.wait()
    await made.say("Thank you and goodbye.").wait_for_playout()
    mark("struck")
    ctx.shutdown("done")


@agent
@onhook.guard
async def is_killed_when_told(ctx: JobContext) -> None:
    def die(_: rtc.DataPacket) -> None:
        mark("struck")
        os.kill(os.getpid(), signal.SIGKILL)

    ctx.room.on("data_received", die)
    await talking(ctx)


@agent
@onhook.guard
async def crashes_when_told(ctx: JobContext) -> None:
    await talking_until_told(ctx)
    mark("struck")
    raise RuntimeError("the customer database is down")


@agent
@onhook.guard
async def waits_for_a_deploy(ctx: JobContext) -> None:
    """Healthy, until its worker is told to end."""
    await talking_until_told(ctx)
    mark("struck")
    os.kill(metadata["worker"], signal.SIGTERM)


@agent
@onhook.guard
async def leaves_the_caller_to_a_person(ctx: JobContext) -> None:
    await talking(ctx)
    await until(ctx.room, lambda: len(ctx.room.remote_participants) > 1, seconds=60)
    await asyncio.sleep(1)
    mark("struck")
    ctx.shutdown("Ann has the call")

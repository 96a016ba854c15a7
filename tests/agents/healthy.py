"""Agents that do nothing wrong, however it may look: nothing may happen to their calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents import (
    AgentSession,
    AudioConfig,
    BackgroundAudioPlayer,
    BuiltinAudioClip,
    JobContext,
    RunContext,
    function_tool,
)

import onhook
from tests.agents.conversations import Host, session_of
from tests.agents.faults import GREETING, fault, greet, note, reach, strike, until

_attempts: Counter[str] = Counter()


@contextlib.asynccontextmanager
async def music(ctx: JobContext) -> AsyncIterator[None]:
    """Play hold music on a track of its own."""
    player = BackgroundAudioPlayer()
    await player.start(room=ctx.room)
    player.play(AudioConfig(BuiltinAudioClip.HOLD_MUSIC, volume=0.5), loop=True)
    try:
        yield
    finally:
        await player.aclose()


class Switchboard(Host):
    """Puts callers on hold."""

    @function_tool
    async def fetch_ann(self, context: RunContext[None]) -> str:
        """Put the caller on hold until Ann is there."""
        async with music(self.ctx), onhook.busy():
            note("holding", self.scenario["id"], room=self.ctx.room.name)
            await until(self.ctx.room, lambda: len(self.ctx.room.remote_participants) > 1)
        return "Ann is on the line."


async def talking(ctx: JobContext) -> AgentSession[None]:
    """Have a session that has greeted a caller."""
    await reach(ctx)
    scenario = json.loads(ctx.job.metadata)
    session = session_of(scenario)
    await session.start(Switchboard(ctx, scenario), room=ctx.room)
    await session.say(GREETING).wait_for_playout()
    note("greeted", scenario["id"], room=ctx.job.room.name)
    return session


@fault
async def holds_and_hands_over(ctx: JobContext) -> None:
    """A warm transfer: hold music, somebody who joins, a word to both, and the agent leaves."""
    session = await talking(ctx)
    await until(ctx.room, lambda: len(ctx.room.remote_participants) > 1, seconds=60)
    introduced = asyncio.Event()
    session.on("conversation_item_added", lambda _: introduced.set())
    await introduced.wait()
    note("left_to_ann", json.loads(ctx.job.metadata)["id"])
    ctx.shutdown("Ann has the call")


@fault
async def releases(ctx: JobContext) -> None:
    """Leave the caller on purpose, alone and in silence."""
    session = await talking(ctx)
    onhook.release(ctx, "a machine of the caller's takes over")
    await session.aclose()
    note("released", json.loads(ctx.job.metadata)["id"])
    ctx.shutdown("released")


@fault
async def greets_and_releases(ctx: JobContext) -> None:
    """Greet, and leave the caller to a machine of theirs."""
    await reach(ctx)
    session = await greet(ctx)
    scenario = json.loads(ctx.job.metadata)
    note("greeted", scenario["id"], room=ctx.job.room.name)
    onhook.release(ctx, "a machine of the caller's takes over")
    await session.aclose()
    note("released", scenario["id"])
    ctx.shutdown("released")


@fault
async def reconnects(ctx: JobContext) -> None:
    """Lose the connection to the server for a moment, and converse on."""
    await talking(ctx)
    await ctx.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
    note("reconnected", json.loads(ctx.job.metadata)["id"])
    await asyncio.Event().wait()


@fault
async def comes_up_at_the_second_attempt(ctx: JobContext) -> None:
    """Fail before the session starts, once."""
    await ctx.connect()
    _attempts[ctx.job.id] += 1
    if _attempts[ctx.job.id] == 1:
        strike(ctx)
        raise ConnectionError("the customer database is down")
    session = await greet(ctx)
    note("greeted", json.loads(ctx.job.metadata)["id"], room=ctx.job.room.name)
    while ctx.room.isconnected():
        await session.say("All our lines are fine.").wait_for_playout()


@fault
async def talks_at_length(ctx: JobContext) -> None:
    """Say more than the call may last."""
    await reach(ctx)
    session = await greet(ctx)
    await session.say(AT_LENGTH).wait_for_playout()


@fault
async def raises_in_mid_sentence(ctx: JobContext) -> None:
    await reach(ctx)
    session = await greet(ctx)
    session.say(AT_LENGTH)
    await asyncio.sleep(2)
    strike(ctx)
    raise RuntimeError("the order system answered nonsense")


AT_LENGTH = "We are open from nine to five on every day of the week, and on holidays too. " * 6

"""Agents that really converse, with the real openai plugin: its provider is the test's simulator.

What goes wrong in the provider, the simulator does; what goes wrong in the agent's own code is
told by the scenario.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from livekit.agents import (
    Agent,
    AgentSession,
    ErrorEvent,
    JobContext,
    RunContext,
    function_tool,
    llm,
    tts,
)
from livekit.plugins import openai, silero

import onhook
from tests.agents.faults import GREETING, fault, note, reach, strike
from tests.livekit.voices import raising_tts

with contextlib.suppress(ImportError):  # sessions of newer versions load it at their start, for 1 s
    import livekit.agents.llm.async_toolset  # noqa: F401


async def misbehave(ctx: JobContext, how: str) -> None:
    """Raise or hang, as the scenario says."""
    if not how:
        return
    strike(ctx)
    if how == "raises":
        raise RuntimeError("the reservation system is down")
    await asyncio.Event().wait()


class Host(Agent):
    """Takes a reservation, and fails where the scenario says so."""

    def __init__(self, ctx: JobContext, scenario: dict[str, Any], **options: Any) -> None:
        super().__init__(instructions="Take a reservation.", **options)
        self.ctx = ctx
        self.scenario = scenario

    async def on_enter(self) -> None:
        await misbehave(self.ctx, self.scenario.get("on_enter", ""))
        if self.scenario.get("greets") == "model":
            self.session.generate_reply(instructions="Greet the caller.")

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        await misbehave(self.ctx, self.scenario.get("on_turn", ""))

    @function_tool
    async def book(self, context: RunContext[None]) -> str:
        """Book a table."""
        await misbehave(self.ctx, self.scenario.get("tool", ""))
        seconds = self.scenario.get("tool_takes", 0.0)
        if words := self.scenario.get("busy"):
            async with onhook.busy(words, every=3.0):
                await asyncio.sleep(seconds)
        else:
            await asyncio.sleep(seconds)
        return "The table is booked."

    @function_tool
    async def hand_over(self, context: RunContext[None]) -> Agent:
        """Hand the caller to a colleague."""
        return Colleague(self.ctx, self.scenario)


class Colleague(Agent):
    """Has the call after a handoff."""

    def __init__(self, ctx: JobContext, scenario: dict[str, Any]) -> None:
        super().__init__(instructions="Go on.")
        self.ctx = ctx
        self.scenario = scenario

    async def on_enter(self) -> None:
        await misbehave(self.ctx, self.scenario.get("colleague", ""))
        self.session.say("Good day, this is the manager. I have your reservation here.")


def voice(scenario: dict[str, Any]) -> tts.TTS[Any]:
    if scenario.get("voice") == "raises_oddly":
        return raising_tts()
    return openai.TTS(base_url=scenario["provider"], api_key="k")


def session_of(scenario: dict[str, Any]) -> AgentSession[None]:
    """Return a session on the test's provider, whose errors are noted."""
    provider = {"base_url": scenario["provider"], "api_key": "k"}
    session: AgentSession[None] = AgentSession(
        vad=silero.VAD.load(),
        stt=openai.STT(use_realtime=False, **provider),
        llm=openai.LLM(**provider),
        tts=voice(scenario),
    )

    def noted(event: ErrorEvent) -> None:
        note("error", scenario["id"], recoverable=getattr(event.error, "recoverable", None))

    session.on("error", noted)
    return session


class Unstartable(openai.LLM):
    def prewarm(self, **_: Any) -> None:
        raise RuntimeError("the model could not be loaded")


@fault
async def converses(ctx: JobContext) -> None:
    """Greet, then answer every turn as the provider does."""
    await reach(ctx)
    scenario = json.loads(ctx.job.metadata)
    provider = {"base_url": scenario["provider"], "api_key": "k"}
    session = session_of(scenario)
    if scenario.get("start") == "fails":
        strike(ctx)
        await session.start(Host(ctx, scenario, llm=Unstartable(**provider)), room=ctx.room)
    await session.start(Host(ctx, scenario), room=ctx.room)
    if scenario.get("greets", "says") == "says":
        await session.say(GREETING).wait_for_playout()
    note("greeted", scenario["id"], room=ctx.job.room.name)
    await asyncio.Event().wait()

"""Agents on the real openai plugin, whose two providers are simulated by the test.

`first` and `second` of the scenario are their addresses; `bare` agents know the first one only.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from livekit.agents import Agent, AgentSession, JobContext
from livekit.plugins import openai, silero

import onhook
from tests.agents.faults import GREETING, fault, note, reach

KEY = "sk-onhook-simulator"


def change(scenario: str, changed: onhook.ProviderChange) -> None:
    note(f"{changed.kind} {changed.place} {'back' if changed.available else 'failed'}", scenario)


def arguments(scenario: dict[str, Any]) -> dict[str, Any]:
    def plugins(kind: Any) -> list[Any]:
        names = ["first"] if scenario.get("bare") else ["first", "second"]
        return [kind(base_url=scenario[name], api_key=KEY) for name in names]

    ears, models, voices = plugins(openai.STT), plugins(openai.LLM), plugins(openai.TTS)
    vad = silero.VAD.load()
    if scenario.get("bare"):
        return {"vad": vad, "stt": ears[0], "llm": models[0], "tts": voices[0]}
    return onhook.providers(
        stt=ears,
        llm=models,
        tts=voices,
        vad=vad,
        dead_air=scenario["dead_air"],
        on_change=lambda changed: change(scenario["id"], changed),
    )


@fault
async def has_two_providers(ctx: JobContext) -> None:
    await reach(ctx)
    scenario = json.loads(ctx.job.metadata)
    session: AgentSession[None] = AgentSession(**arguments(scenario))
    await session.start(Agent(instructions="Take a reservation."), room=ctx.room)
    await session.say(GREETING).wait_for_playout()
    note("greeted", scenario["id"], room=ctx.job.room.name)
    await asyncio.Event().wait()

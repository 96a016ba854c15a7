"""Policies that give a call away, and the agents that take it over, well or badly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from livekit.agents import Agent, AgentSession, JobContext

import onhook
from onhook.demo.voice import EspeakTTS
from onhook.livekit.picture import is_withdrawn
from tests.agents.faults import fault, note

DESK = "tel:+15550123"

POLICIES: dict[str, Callable[[], onhook.Policy]] = {
    "transfer": lambda: onhook.Policy(lost=[onhook.Transfer(DESK), onhook.Say()]),
    "transfer_briefly": lambda: onhook.Policy(
        lost=[onhook.Transfer(DESK, deadline=3.0), onhook.Say()]
    ),
    "redispatch": lambda: onhook.Policy(lost=[onhook.Redispatch("faulty"), onhook.Say()]),
    "redispatch_briefly": lambda: onhook.Policy(
        lost=[onhook.Redispatch("faulty", deadline=6.0), onhook.Say()]
    ),
    "redispatch_to_nobody": lambda: onhook.Policy(
        lost=[onhook.Redispatch("nobody", deadline=4.0), onhook.Say()]
    ),
}


def scenario_of(ctx: JobContext) -> dict[str, Any]:
    """Return what the job shall do; one that takes a call over does the scenario's second half."""
    scenario: dict[str, Any] = json.loads(ctx.job.metadata)
    if (incident := onhook.incident_of(ctx)) is None:
        return scenario
    note("took_over", scenario["id"], incident=incident.incident, fault=incident.fault)
    return {**scenario, "fault": scenario["then"], "guard": scenario.get("then_guard", "off")}


@fault
async def says_nothing(ctx: JobContext) -> None:
    """Present, with a track, and mute."""
    await ctx.connect()
    session: AgentSession[None] = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions=""), room=ctx.room)
    scenario = json.loads(ctx.job.metadata)

    async def end(_: str) -> None:
        note("ended", scenario["id"], withdrawn=is_withdrawn(ctx.room))

    ctx.add_shutdown_callback(end)

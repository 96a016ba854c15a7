"""Policies that give a call away, and the agents that take it over, well or badly."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from livekit.agents import Agent, AgentSession, JobContext

import onhook
from onhook.bench.demo.espeak_voice import EspeakTTS
from onhook.livekit.picture import is_withdrawn
from onhook.rungs import Rung
from tests.agents.faults import fault, note

DESK = "tel:+15550123"

TONE, BEEP, AT_MOST = 1000, 2.0, 6.0
"""Hz and seconds of the rescue words that are no words; seconds that their calls may last."""
_RATE = 8000


def beeps() -> list[Rung]:
    """Return a ladder whose words cannot be mistaken for the agent's own."""
    path = Path(os.environ["ONHOOK_TEST_EVENTS"]).with_name(f"tone-{os.getpid()}.wav")
    time = np.arange(int(BEEP * _RATE)) / _RATE
    samples = (8000 * np.sin(2 * np.pi * TONE * time)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.tobytes())
    return [onhook.Say("A tone.", audio=path), onhook.HangUp()]


POLICIES: dict[str, Callable[[], onhook.Policy]] = {
    "transfer": lambda: onhook.Policy(lost=[onhook.Transfer(DESK), onhook.Say()]),
    "transfer_briefly": lambda: onhook.Policy(
        lost=[onhook.Transfer(DESK, deadline=3.0), onhook.Say()]
    ),
    "notice_then_transfer": lambda: onhook.Policy(
        lost=[onhook.Say("Let me transfer you."), onhook.Transfer(DESK), onhook.HangUp()],
        dead_air=3.0,
        give_up=3.0,
    ),
    "retry": lambda: onhook.Policy(lost=[onhook.Retry(), onhook.Say(), onhook.HangUp()]),
    "tone": lambda: onhook.Policy(lost=beeps()),
    "tone_at_the_limit": lambda: onhook.Policy(
        max_call=AT_MOST, on={onhook.Fault.CALL_OVERLONG: beeps()}
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

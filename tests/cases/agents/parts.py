"""What the agents of the cases share: their events, a session on the simulated provider."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from livekit import api
from livekit.agents import Agent, AgentSession, JobContext
from livekit.plugins import openai, silero

from tests.agents.faults import GREETING, note

with contextlib.suppress(ImportError):  # sessions of newer versions load it at their start, for 1 s
    import livekit.agents.llm.async_toolset  # noqa: F401

__all__ = [
    "AGENTS",
    "Desk",
    "agent",
    "dial",
    "go",
    "greet",
    "mark",
    "metadata",
    "parts",
    "session",
    "take_call",
    "talking",
]

Entrypoint = Callable[[JobContext], Awaitable[None]]

AGENTS: dict[str, Entrypoint] = {}

metadata: dict[str, Any] = {}
"""The metadata of this process's job: a process has one job in its life."""


def agent(entrypoint: Entrypoint) -> Entrypoint:
    """Let a case have its call taken by this agent."""
    AGENTS[entrypoint.__name__] = entrypoint
    return entrypoint


def take_call(ctx: JobContext) -> dict[str, Any]:
    metadata.update(json.loads(ctx.job.metadata))
    return metadata


def mark(event: str, **more: object) -> None:
    """Tell the case that something happened, and when."""
    note(event, metadata["id"], **more)


def parts(**other: Any) -> dict[str, Any]:
    """Return what a session is made of: the real openai plugin on the simulator, and silero."""
    provider = {"base_url": metadata["provider"], "api_key": "k"}
    made = {
        "vad": silero.VAD.load(),
        "stt": openai.STT(use_realtime=False, **provider),
        "llm": openai.LLM(**provider),
        "tts": openai.TTS(**provider),
        **other,
    }
    return {name: part for name, part in made.items() if part is not None}


def session(**other: Any) -> AgentSession[None]:
    made: AgentSession[None] = AgentSession(**parts(**other))
    made.on("error", lambda event: mark("error", recoverable=_recoverable(event)))
    made.on("agent_state_changed", lambda event: mark("agent", state=event.new_state))
    made.on("user_state_changed", lambda event: mark("user", state=event.new_state))
    made.on("close", lambda event: mark("session_closed", reason=str(event.reason)))
    return made


def _recoverable(event: Any) -> object:
    return getattr(event.error, "recoverable", None)


class Desk(Agent):
    """Takes reservations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Take a reservation.", **options)


async def greet(made: AgentSession[None], words: str = GREETING) -> None:
    await made.say(words).wait_for_playout()
    mark("greeted")


async def talking(ctx: JobContext, desk: Agent | None = None, **other: Any) -> AgentSession[None]:
    """Have a session that has greeted its caller."""
    made = session(**other)
    await made.start(desk or Desk(), room=ctx.room)
    await greet(made)
    return made


def go(ctx: JobContext) -> asyncio.Event:
    """Return what is set as soon as the case says `go`."""
    event = asyncio.Event()
    ctx.room.on("data_received", lambda _: event.set())
    return event


async def talking_until_told(ctx: JobContext, desk: Agent | None = None) -> AgentSession[None]:
    """Have a session that has greeted its caller, until the case says `go`."""
    told = go(ctx)
    made = await talking(ctx, desk)
    await told.wait()
    return made


async def dial(
    ctx: JobContext, identity: str = "callee", *, callee: str = "callee", wait: bool = True
) -> None:
    """Call the phone that the metadata names; with `wait` return when it has answered."""
    await ctx.api.sip.create_sip_participant(
        api.CreateSIPParticipantRequest(
            sip_trunk_id=metadata["trunk"],
            sip_call_to=metadata[callee],
            room_name=ctx.room.name,
            participant_identity=identity,
            wait_until_answered=wait,
        ),
        timeout=60,
    )
    mark("answered" if wait else "dialled")

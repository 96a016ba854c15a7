"""Agents to whom onhook's own doings come back."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectOptions,
    APIStatusError,
    JobContext,
    RunContext,
    function_tool,
    tts,
)
from livekit.plugins import openai

import onhook
from tests.cases.agents.parts import Desk, agent, mark, metadata, talking, talking_until_told

LONG_WORDS = "One moment please, I am still looking for it, and it will not take very long."
SOFT_THEN_HANG_UP = (onhook.Say(LONG_WORDS), onhook.HangUp())


@agent
@onhook.guard(onhook.Policy(impaired=list(SOFT_THEN_HANG_UP), dead_air=4.0))
async def has_a_soft_ladder_that_hangs_up(ctx: JobContext) -> None:
    await talking(ctx)


@agent
@onhook.guard(onhook.Policy(impaired=onhook.Ladder(SOFT_THEN_HANG_UP), dead_air=4.0))
async def has_a_soft_ladder_object(ctx: JobContext) -> None:
    await talking(ctx)


@agent
@onhook.guard(onhook.Policy(impaired=list(SOFT_THEN_HANG_UP), dead_air=4.0))
async def releases_during_the_words(ctx: JobContext) -> None:
    """Say that the silence is meant, while the soft words are spoken."""
    await talking_until_told(ctx)
    mark("released")
    onhook.release(ctx, "a machine of the caller's takes over")
    await asyncio.Event().wait()


class Refused(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        mark("refused")
        raise APIStatusError("too many requests", status_code=429)


class Voice(openai.TTS):
    """Refuses what the agent itself never says."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> Any:
        if "technical problem" in text or "moment" in text.lower():
            return Refused(tts=self, input_text=text, conn_options=conn_options)
        return super().synthesize(text, conn_options=conn_options)


class BusyDesk(Desk):
    @function_tool
    async def check(self, context: RunContext[None]) -> str:
        """Ask the other house, and have onhook tell the caller so."""
        async with onhook.busy("One moment, I am still looking.", every=4.0):
            await asyncio.sleep(10)
        return "The table is free."


@agent
@onhook.guard
async def is_busy_with_a_voice_with_a_rate_limit(ctx: JobContext) -> None:
    voice = Voice(base_url=metadata["provider"], api_key="k")
    await talking(ctx, BusyDesk(), tts=voice)


@agent
@onhook.guard
async def has_a_voice_with_a_rate_limit(ctx: JobContext) -> None:
    await talking(ctx, tts=Voice(base_url=metadata["provider"], api_key="k"))

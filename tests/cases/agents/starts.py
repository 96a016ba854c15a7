"""Agents that are slow to begin, or hang before their first word."""

from __future__ import annotations

import asyncio

import numpy as np
from livekit import rtc
from livekit.agents import AudioConfig, BackgroundAudioPlayer, BuiltinAudioClip, JobContext

import onhook
from tests.agents.faults import until
from tests.cases.agents.parts import agent, mark, metadata, talking

RATE = 24000


async def publish(ctx: JobContext, name: str) -> rtc.AudioSource:
    source = rtc.AudioSource(RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track(name, source)
    await ctx.room.local_participant.publish_track(track)
    return source


@agent
@onhook.guard
async def sets_up_slowly(ctx: JobContext) -> None:
    await asyncio.sleep(metadata["seconds"])  # a database, a model, a cold start
    await talking(ctx)


@agent
@onhook.guard
async def rings_a_person_first(ctx: JobContext) -> None:
    """Let a person's browser ring, and have the agent answer as soon as they have joined."""
    await ctx.connect()
    await until(ctx.room, lambda: "ann" in ctx.room.remote_participants, seconds=60)
    await talking(ctx)


@agent
@onhook.guard
async def hangs_behind_ambience(ctx: JobContext) -> None:
    await ctx.connect()
    player = BackgroundAudioPlayer(
        ambient_sound=AudioConfig(BuiltinAudioClip.OFFICE_AMBIENCE, volume=0.8)
    )
    await player.start(room=ctx.room)
    mark("struck")
    await asyncio.Event().wait()


@agent
@onhook.guard
async def hangs_behind_a_beep(ctx: JobContext) -> None:
    """Answer with a placeholder, half a second of a tone, and never say a word."""
    await ctx.connect()
    source = await publish(ctx, "placeholder")
    mark("struck")
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)
    data = tone.astype(np.int16)
    await source.capture_frame(rtc.AudioFrame(data.tobytes(), RATE, 1, len(data)))
    await asyncio.Event().wait()


@agent
@onhook.guard
async def hangs_behind_an_empty_track(ctx: JobContext) -> None:
    await ctx.connect()
    source = await publish(ctx, "empty")
    mark("struck")
    await asyncio.Event().wait()
    del source


@agent
@onhook.guard
async def hangs_while_it_rings(ctx: JobContext) -> None:
    await ctx.connect()
    mark("struck")
    await asyncio.Event().wait()

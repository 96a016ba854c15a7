"""Agents that get nothing of what the caller says."""

from __future__ import annotations

from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents import JobContext, room_io
from livekit.agents.voice.io import AudioInput

import onhook
from tests.agents.faults import GREETING
from tests.cases.agents.parts import Desk, agent, greet, mark, session


@agent
@onhook.guard
async def is_linked_to_nobody(ctx: JobContext) -> None:
    made = session()
    await made.start(Desk(), room=ctx.room)
    await made.say(GREETING).wait_for_playout()
    made.room_io.set_participant("nobody")
    mark("greeted")


@agent
@onhook.guard
async def is_linked_to_a_dashboard(ctx: JobContext) -> None:
    """Listen to somebody who is there and never says a word."""
    made = session()
    await ctx.connect()
    options = room_io.RoomOptions(participant_identity="dashboard")
    await made.start(Desk(), room=ctx.room, room_options=options)
    await greet(made)


class Zeros(AudioInput):
    """A filter that has gone wrong: as many frames as come in, and nothing in them."""

    def __init__(self, source: AudioInput) -> None:
        super().__init__(label="zeros", source=source)

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await super().__anext__()
        zeros = bytes(2 * frame.samples_per_channel * frame.num_channels)
        return rtc.AudioFrame(
            zeros, frame.sample_rate, frame.num_channels, frame.samples_per_channel
        )

    def __aiter__(self) -> AsyncIterator[rtc.AudioFrame]:
        return self


@agent
@onhook.guard
async def hears_zeros(ctx: JobContext) -> None:
    made = session()
    await made.start(Desk(), room=ctx.room)
    assert made.input.audio is not None
    made.input.audio = Zeros(made.input.audio)
    await greet(made)

"""Agents that get nothing of what the caller says."""

from __future__ import annotations

from livekit.agents import JobContext, room_io

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
    options = room_io.RoomOptions(participant_identity="dashboard")
    await made.start(Desk(), room=ctx.room, room_options=options)
    await greet(made)

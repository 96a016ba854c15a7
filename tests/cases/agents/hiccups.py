"""Agents whose providers fail for a moment."""

from __future__ import annotations

from livekit.agents import APIStatusError, ErrorEvent, JobContext

import onhook
from tests.cases.agents.energy_stt import EnergyStream, EnergySTT
from tests.cases.agents.parts import Desk, agent, greet, mark, session, talking


async def dies_once(stream: EnergyStream, edge: str) -> bool:
    """Let the first connection be refused for good at the first utterance."""
    if edge == "ended" and stream.made.streams == 1:
        mark("died")
        raise APIStatusError("the stream was closed by the server", status_code=400)
    return False


@agent
@onhook.guard
async def has_an_stt_that_dies_once(ctx: JobContext) -> None:
    await talking(ctx, stt=EnergySTT(behave=dies_once))


@agent
@onhook.guard
async def handles_its_errors(ctx: JobContext) -> None:
    """The developer's own handler speaks, as LiveKit's guide has it."""
    made = session()

    def failed(event: ErrorEvent) -> None:
        if not getattr(event.error, "recoverable", True):
            mark("handled")
            event.error.recoverable = True
            made.say("I am having trouble right now. Could you say that again, please?")

    made.on("error", failed)
    await made.start(Desk(), room=ctx.room)
    await greet(made)

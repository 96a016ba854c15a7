"""The agent of the demonstration: a real session that greets, and fails 3 s into the call.

The job's metadata chooses what stands between its failure and its caller.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from livekit import api
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli

import onhook
from onhook.bench.demo.espeak_voice import EspeakTTS

__all__ = ["AGENT", "FAILS_AFTER", "FOLDER", "server"]

AGENT = "front-desk"
FAILS_AFTER = 3.0
"""Seconds of the call until the agent fails."""
FOLDER = "ONHOOK_DEMO_FOLDER"
"""The variable that names the folder into which the moment of the failure is written."""

server = AgentServer(host="127.0.0.1", port=0, num_idle_processes=1, load_fnc=lambda: 0.0)


async def front_desk(ctx: JobContext) -> None:
    """Greet the caller, then fail as a booking system's outage makes agents fail."""
    session: AgentSession[None] = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions="You are the front desk."), room=ctx.room)
    answered = time.monotonic()
    session.say("Good day, the front desk.")
    await asyncio.sleep(answered + FAILS_AFTER - time.monotonic())
    note = Path(os.environ[FOLDER]) / f"{ctx.job.metadata}.fault"
    note.write_text(str(time.monotonic()))
    raise ConnectionError("the booking system is down")


async def hand_written(ctx: JobContext) -> None:
    """Do by hand what LiveKit's guide recommends: catch, delete the room, raise again."""
    try:
        await front_desk(ctx)
    except Exception:
        async with api.LiveKitAPI() as server:
            await server.room.delete_room(api.DeleteRoomRequest(room=ctx.room.name))
        raise


guarded = onhook.guard(front_desk)

_ENTRYPOINTS = {"unguarded": front_desk, "hand-written": hand_written}


@server.rtc_session(agent_name=AGENT)
async def entrypoint(ctx: JobContext) -> None:
    """Run the agent as the job's metadata says."""
    await _ENTRYPOINTS.get(ctx.job.metadata, guarded)(ctx)


if __name__ == "__main__":
    cli.run_app(server)

"""A worker whose agents know nothing of onhook: `python -m tests.agents.plain start`."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections import Counter

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobRequest, cli

from onhook.bench.demo.espeak_voice import EspeakTTS
from tests.agents.obeying import note, obey

AGENT = os.environ.get("ONHOOK_TEST_AGENT", "plain")


_refused: Counter[str] = Counter()


async def accept(request: JobRequest) -> None:
    """Take every job, unless the test wants the first requests refused: they are lost then."""
    scenario = json.loads(request.job.metadata or "{}")
    if _refused[request.room.name] < scenario.get("refuse", 0):
        _refused[request.room.name] += 1
        await request.reject()
    else:
        await request.accept()


server = AgentServer(
    host="127.0.0.1",
    port=0,
    num_idle_processes=int(os.environ.get("ONHOOK_TEST_IDLE", "2")),
    load_fnc=lambda: 0.0,
    load_threshold=math.inf,
    drain_timeout=1,
)


@server.rtc_session(agent_name=AGENT, on_request=accept)
async def entrypoint(ctx: JobContext) -> None:
    scenario = json.loads(ctx.job.metadata or "{}")
    told = scenario.get("id", "")
    note("entered", told, pid=os.getpid(), room=ctx.job.room.name, job=ctx.job.id)
    obey(ctx, told)

    async def left() -> None:
        note("left", told)

    ctx.add_shutdown_callback(left)
    await asyncio.sleep(scenario.get("setup", 0))
    await ctx.connect()
    note("connected", told, agent=ctx.room.local_participant.identity, room=ctx.room.name)
    if scenario.get("silent"):
        await asyncio.Event().wait()
    session: AgentSession[None] = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions=""), room=ctx.room)
    await session.say("Hello, this is the front desk.").wait_for_playout()
    note("greeted", told, room=ctx.job.room.name)
    if scenario.get("mute"):
        await asyncio.Event().wait()
    while ctx.room.isconnected():
        await session.say("All our lines are fine.").wait_for_playout()


if __name__ == "__main__":
    server.on("worker_registered", lambda *_: note("registered", pid=os.getpid()))
    cli.run_app(server)

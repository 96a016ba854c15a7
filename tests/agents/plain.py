"""A worker whose agents know nothing of onhook: `python -m tests.agents.plain start`."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections import Counter
from pathlib import Path

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobRequest, cli

from onhook.bench.demo.espeak_voice import EspeakTTS
from tests.agents.obeying import late, note, obey

AGENT = os.environ.get("ONHOOK_TEST_AGENT", "plain")
LOAD = os.environ.get("ONHOOK_TEST_LOAD", "")
"""A file with the worker's load, for tests of a worker that is full; without one it never is."""
FULL = 0.7

_requests: Counter[str] = Counter()


async def accept(request: JobRequest) -> None:
    """Take every job, unless the test wants the first requests refused: they are lost then.

    Or late: each of a call's requests has its own seconds.
    """
    scenario = json.loads(request.job.metadata or "{}")
    before, slow = _requests[request.room.name], scenario.get("accepts_after", [])
    _requests[request.room.name] += 1
    note("offered", scenario.get("id", ""))
    if before < scenario.get("refuse", 0):
        await request.reject()
        return
    await asyncio.sleep(slow[before] if before < len(slow) else 0.0)
    await request.accept()


def load() -> float:
    return float(Path(LOAD).read_text()) if LOAD else 0.0


server = AgentServer(
    host="127.0.0.1",
    port=0,
    num_idle_processes=int(os.environ.get("ONHOOK_TEST_IDLE", "2")),
    load_fnc=load,
    load_threshold=FULL if LOAD else math.inf,
    drain_timeout=1,
)


@server.rtc_session(agent_name=AGENT, on_request=accept)
async def entrypoint(ctx: JobContext) -> None:
    scenario = json.loads(ctx.job.metadata or "{}")
    told = scenario.get("id", "")
    note("entered", told, pid=os.getpid(), room=ctx.job.room.name, job=ctx.job.id)
    obey(ctx, told)
    await asyncio.sleep(late(scenario))

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

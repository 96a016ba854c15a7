"""A worker that has all agents of the cases; the job's metadata says which of them takes a call.

python -m tests.cases.agents.worker start
"""

from __future__ import annotations

import math
import os

from livekit.agents import AgentServer, JobContext, JobExecutorType, cli

from tests.agents.faults import note
from tests.cases.agents import catalog
from tests.cases.agents.parts import AGENTS, mark, take_call

server = AgentServer(
    host="127.0.0.1",
    port=0,
    num_idle_processes=2,
    load_fnc=lambda: 0.0,
    load_threshold=math.inf,  # else it refuses what waits for a process, and nobody offers it again
    drain_timeout=1,
    preload_modules=[catalog.__name__],  # jobs are forked with them, and start at once
    job_executor_type=JobExecutorType.PROCESS,
)


@server.rtc_session(agent_name=os.environ["CASES_AGENT"])
async def entrypoint(ctx: JobContext) -> None:
    scenario = take_call(ctx)
    mark("entered", room=ctx.job.room.name, pid=os.getpid())
    await AGENTS[scenario["agent"]](ctx)


if __name__ == "__main__":
    server.on("worker_registered", lambda *_: note("registered", pid=os.getpid()))
    cli.run_app(server)

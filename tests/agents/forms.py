"""Every form in which agents register their entrypoint; `ONHOOK_FORM` chooses one.

ONHOOK_FORM=decorated python -m tests.agents.forms start
"""

from __future__ import annotations

import functools
import os

from livekit.agents import AgentServer, JobContext, JobExecutorType, WorkerOptions, cli

import onhook
from tests.agents.faults import note, raises_after_connect

AGENT = "formal"
POLICY = onhook.Policy(lost=[onhook.HangUp()])
FORM = os.environ.get("ONHOOK_FORM", "decorated")


def server_of(form: str) -> AgentServer:
    """Make an idle server; `form` may name how its jobs run."""
    how = {"imported": "spawn"}.get(form, "forkserver")
    executor = JobExecutorType.THREAD if form == "thread" else JobExecutorType.PROCESS
    return AgentServer(
        host="127.0.0.1",
        port=0,
        num_idle_processes=1,
        load_fnc=lambda: 0.0,
        multiprocessing_context=how,  # type: ignore[arg-type]
        job_executor_type=executor,
    )


async def with_settings(settings: dict[str, str], ctx: JobContext) -> None:
    assert settings == {"greeting": "hello"}
    await raises_after_connect(ctx)


partial = functools.partial(with_settings, {"greeting": "hello"})

if FORM == "options":
    server = AgentServer.from_server_options(
        WorkerOptions(
            entrypoint_fnc=onhook.guard(POLICY)(partial),
            agent_name=AGENT,
            host="127.0.0.1",
            port=0,
            num_idle_processes=1,
        )
    )
else:
    server = server_of(FORM)

if FORM == "decorated":

    @server.rtc_session(agent_name=AGENT)
    @onhook.guard(POLICY)
    async def entrypoint(ctx: JobContext) -> None:
        await raises_after_connect(ctx)

elif FORM != "options":
    server.rtc_session(agent_name=AGENT)(onhook.guard(POLICY)(raises_after_connect))

server.on("worker_registered", lambda *_: note("registered"))

if __name__ == "__main__":
    cli.run_app(server)

"""Ways in which a job ends or hangs that no code inside it can help: its caller is ring 2's."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import time
from pathlib import Path

from livekit.agents import Agent, AgentSession, JobContext

from onhook.bench.demo.espeak_voice import EspeakTTS
from tests.agents.faults import fault, greet, note, reach, strike, wait_for_signal
from tests.agents.obeying import obey

LONG = 30
"""Seconds; LiveKit itself kills a job whose loop is blocked after 60."""


async def in_mid_call(ctx: JobContext) -> None:
    """Have a caller who has been greeted; then the fault strikes."""
    await reach(ctx)
    await greet(ctx)


@fault
async def is_killed(ctx: JobContext) -> None:
    """The out-of-memory killer's way, and that of `kill -9`."""
    await in_mid_call(ctx)
    strike(ctx)
    os.kill(os.getpid(), signal.SIGKILL)


@fault
async def exits_without_cleanup(ctx: JobContext) -> None:
    await in_mid_call(ctx)
    strike(ctx)
    os._exit(1)


@fault
async def segfaults(ctx: JobContext) -> None:
    await in_mid_call(ctx)
    strike(ctx)
    ctypes.string_at(0)


@fault
async def runs_out_of_memory(ctx: JobContext) -> None:
    """The kernel's own out-of-memory killer; its signal where there can be no memory cgroup."""
    await in_mid_call(ctx)
    confined = confine(64 << 20)
    strike(ctx)
    hoard = []
    while confined:
        hoard.append(b"x" * (1 << 20))
    os.kill(os.getpid(), signal.SIGKILL)


def confine(limit: int) -> bool:
    """Move this process into a memory cgroup of its own; return whether that could be done."""
    cgroups = Path("/sys/fs/cgroup")
    version_1 = (cgroups / "memory").exists()
    mine = cgroups / ("memory" if version_1 else "") / f"onhook-test-{os.getpid()}"
    try:
        mine.mkdir()
        limits = "memory.limit_in_bytes" if version_1 else "memory.max"
        (mine / limits).write_text(str(limit))
        (mine / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return False
    return True


@fault
async def blocks_its_loop(ctx: JobContext) -> None:
    await in_mid_call(ctx)
    strike(ctx)
    time.sleep(LONG)  # noqa: ASYNC251 - this is the fault


@fault
async def is_stopped(ctx: JobContext) -> None:
    await in_mid_call(ctx)
    strike(ctx)
    os.kill(os.getpid(), signal.SIGSTOP)


@fault
async def holds_the_gil(ctx: JobContext) -> None:
    """C code that never lets another thread of Python run."""
    await in_mid_call(ctx)
    strike(ctx)
    ctypes.PyDLL(None).sleep(LONG)


@fault
async def blocks_for_a_moment(ctx: JobContext) -> None:
    """Healthy: a library of the developer's blocks the loop for 2 s, now and then."""
    await in_mid_call(ctx)
    strike(ctx)
    for _ in range(3):
        time.sleep(2.0)  # noqa: ASYNC251 - this is what is to be endured
        await asyncio.sleep(1.0)
    note("survived", json.loads(ctx.job.metadata)["id"])
    await asyncio.Event().wait()


@fault
async def blocks_for_five_seconds(ctx: JobContext) -> None:
    """Healthy again afterwards: a tool that blocks the loop, once."""
    await in_mid_call(ctx)
    strike(ctx)
    time.sleep(5.0)  # noqa: ASYNC251 - this is what is to be endured
    note("survived", json.loads(ctx.job.metadata)["id"])
    await asyncio.Event().wait()


@fault
async def computes_in_a_thread(ctx: JobContext) -> None:
    """Healthy: a tool that takes all that a core has."""
    scenario = json.loads(ctx.job.metadata)
    await in_mid_call(ctx)
    strike(ctx)
    await asyncio.to_thread(compute, scenario.get("seconds", 25.0))
    note("survived", scenario["id"])
    await asyncio.Event().wait()


def compute(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))


@fault
async def is_killed_on_signal(ctx: JobContext) -> None:
    await wait_for_signal(ctx)
    strike(ctx)
    os.kill(os.getpid(), signal.SIGKILL)


@fault
async def obeys(ctx: JobContext) -> None:
    """Wait in silence, and fail as a data message says."""
    scenario = json.loads(ctx.job.metadata)
    obey(ctx, scenario["id"])
    session: AgentSession[None] = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions=""), room=ctx.room)
    await asyncio.sleep(1.0)  # until then the guard has seen it
    note("connected", scenario["id"], agent=ctx.room.local_participant.identity)
    await asyncio.Event().wait()

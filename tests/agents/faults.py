"""What goes wrong in the agents under test: one coroutine a fault, each says when it strikes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from livekit import api, rtc
from livekit.agents import Agent, AgentSession, JobContext

import onhook
from onhook.bench.demo.espeak_voice import EspeakTTS

FAULTS: dict[str, Callable[[JobContext], Awaitable[None]]] = {}

GREETING = "Hello, this is the front desk, how may I help you today?"


def fault(entrypoint: Callable[[JobContext], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    FAULTS[entrypoint.__name__] = entrypoint
    return entrypoint


def note(event: str, scenario: str = "", **more: object) -> None:
    """Write an event and when it was, on the clock that the phone reads too (CLOCK_MONOTONIC)."""
    line = json.dumps({"event": event, "at": time.monotonic(), "id": scenario, **more})
    with Path(os.environ["ONHOOK_TEST_EVENTS"]).open("a") as file:
        file.write(line + "\n")


async def noted(event: str, scenario: str) -> None:
    """Wait until another job has written an event."""
    beginning = f'{{"event": "{event}", '
    while True:
        lines = Path(os.environ["ONHOOK_TEST_EVENTS"]).read_text().splitlines()
        if any(line.startswith(beginning) and f'"id": "{scenario}"' in line for line in lines):
            return
        await asyncio.sleep(0.1)


def strike(ctx: JobContext) -> None:
    scenario = json.loads(ctx.job.metadata)
    if "api" in scenario:  # from here on the server's API is behind the test's own proxy
        os.environ["LIVEKIT_URL"] = scenario["api"]
    note("fault", scenario["id"], room=ctx.job.room.name)


async def greet(ctx: JobContext) -> AgentSession[None]:
    """Start a real session that speaks, and wait until the greeting is over."""
    session: AgentSession[None] = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions=""), room=ctx.room)
    await session.say(GREETING).wait_for_playout()
    return session


async def dial(ctx: JobContext, *, wait: bool) -> None:
    """Call the callee that the job's metadata names."""
    metadata = json.loads(ctx.job.metadata)
    await ctx.api.sip.create_sip_participant(
        api.CreateSIPParticipantRequest(
            sip_trunk_id=metadata["trunk"],
            sip_call_to=metadata["callee"],
            room_name=ctx.room.name,
            participant_identity="the-patient",
            wait_until_answered=wait,
        ),
        timeout=30,
    )


async def reach(ctx: JobContext) -> None:
    """Have a caller on the line: there already, or dialled until they answer."""
    await ctx.connect()
    if "callee" in json.loads(ctx.job.metadata):
        await dial(ctx, wait=True)


@fault
async def raises_before_connect(ctx: JobContext) -> None:
    strike(ctx)
    raise RuntimeError("the customer database is down")


@fault
async def raises_after_connect(ctx: JobContext) -> None:
    await ctx.connect()
    strike(ctx)
    raise RuntimeError("the customer database is down")


@fault
async def raises_while_ringing(ctx: JobContext) -> None:
    await ctx.connect()
    if "callee" in json.loads(ctx.job.metadata):
        await dial(ctx, wait=False)
        await line_state(ctx.room, "ringing")
    strike(ctx)
    raise RuntimeError("the customer database is down")


@fault
async def raises_in_mid_call(ctx: JobContext) -> None:
    """Fail when the worker has spawned its next process, which takes both cores until then."""
    await reach(ctx)
    await greet(ctx)
    await asyncio.sleep(6)
    strike(ctx)
    raise RuntimeError("the order system answered nonsense")


@fault
async def raises_after_answer(ctx: JobContext) -> None:
    await reach(ctx)
    await greet(ctx)
    strike(ctx)
    raise RuntimeError("the customer database is down")


@fault
async def raises_in_task_group(ctx: JobContext) -> None:
    async def lookup() -> None:
        strike(ctx)
        raise LookupError("no such customer")

    await reach(ctx)
    await greet(ctx)
    async with asyncio.TaskGroup() as group:
        group.create_task(lookup())


@fault
async def is_cancelled(ctx: JobContext) -> None:
    await reach(ctx)
    await greet(ctx)
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    strike(ctx)
    await asyncio.Event().wait()


@fault
async def exits(ctx: JobContext) -> None:
    await reach(ctx)
    await greet(ctx)
    strike(ctx)
    raise SystemExit(3)


@fault
async def exits_in_a_task(ctx: JobContext) -> None:
    """The entrypoint has returned; a task of the agent's own calls `sys.exit()`."""

    async def quit_the_process() -> None:
        strike(ctx)
        raise SystemExit(3)

    await reach(ctx)
    await greet(ctx)
    task = asyncio.get_running_loop().create_task(quit_the_process())
    task.add_done_callback(lambda _: None)


@fault
async def is_interrupted(ctx: JobContext) -> None:
    await reach(ctx)
    await greet(ctx)
    strike(ctx)
    raise KeyboardInterrupt


@fault
async def stalls_before_connect(ctx: JobContext) -> None:
    strike(ctx)
    await asyncio.Event().wait()


@fault
async def stalls_after_connect(ctx: JobContext) -> None:
    await ctx.connect()
    if "callee" in json.loads(ctx.job.metadata):
        await dial(ctx, wait=True)
    strike(ctx)
    await asyncio.Event().wait()


@fault
async def returns_without_audio(ctx: JobContext) -> None:
    await reach(ctx)
    strike(ctx)


@fault
async def shuts_down(ctx: JobContext) -> None:
    await reach(ctx)
    await greet(ctx)
    strike(ctx)
    ctx.shutdown("the appointment is made")


@fault
async def ends_its_session(ctx: JobContext) -> None:
    await reach(ctx)
    session = await greet(ctx)
    note("explained", json.loads(ctx.job.metadata)["id"], text=onhook.explain(ctx))
    strike(ctx)
    session.shutdown()


@fault
async def waits_for_the_deploy(ctx: JobContext) -> None:
    """Healthy, until the worker is told to stop (SIGTERM to the worker alone)."""
    await reach(ctx)
    await greet(ctx)
    strike(ctx)
    os.kill(json.loads(ctx.job.metadata)["worker"], signal.SIGTERM)


async def wait_for_signal(ctx: JobContext) -> None:
    """Greet, say that the agent is ready, and wait until the test lets the fault strike."""
    await reach(ctx)
    await greet(ctx)
    go = asyncio.Event()

    @ctx.room.on("data_received")
    def on_data(_: rtc.DataPacket) -> None:
        go.set()

    scenario = json.loads(ctx.job.metadata)
    note("ready", scenario["id"], room=ctx.job.room.name)
    await go.wait()
    await until(ctx.room, lambda: len(ctx.room.remote_participants) > scenario.get("company", 0))


@fault
async def raises_on_signal(ctx: JobContext) -> None:
    await wait_for_signal(ctx)
    strike(ctx)
    raise RuntimeError("the customer database is down")


@fault
async def shuts_down_on_signal(ctx: JobContext) -> None:
    await wait_for_signal(ctx)
    strike(ctx)
    ctx.shutdown("handed over")


@fault
async def is_healthy(ctx: JobContext) -> None:
    await reach(ctx)
    session = await greet(ctx)
    note("greeted", json.loads(ctx.job.metadata)["id"], room=ctx.job.room.name)
    while ctx.room.isconnected():
        await session.say("All our lines are fine.").wait_for_playout()


@fault
async def is_quiet(ctx: JobContext) -> None:
    """Healthy, with nothing to say: what it costs is the job, and the guard."""
    await reach(ctx)
    await greet(ctx)
    note("greeted", json.loads(ctx.job.metadata)["id"], room=ctx.job.room.name)
    await asyncio.Event().wait()


async def line_state(room: rtc.Room, state: str) -> None:
    """Wait until the SIP leg is in a state."""
    await until(
        room,
        lambda: any(
            p.attributes.get("sip.callStatus") == state for p in room.remote_participants.values()
        ),
    )


async def until(room: rtc.Room, holds: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until something holds of who is in the room."""
    changed = asyncio.Event()
    for event in ("participant_attributes_changed", "participant_connected"):
        room.on(event, lambda *_: changed.set())
    async with asyncio.timeout(seconds):
        while not holds():
            await changed.wait()
            changed.clear()


@fault
async def works_on_when_told_to_end(ctx: JobContext) -> None:
    """An entrypoint that runs as long as the call, with a handler of its own for signals."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    await wait_for_signal(ctx)
    strike(ctx)
    await asyncio.Event().wait()

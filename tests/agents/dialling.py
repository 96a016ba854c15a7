"""Agents that call somebody by `onhook.dial` and say how it went."""

from __future__ import annotations

import asyncio
import json

from livekit.agents import JobContext

import onhook
from tests.agents.faults import fault, greet, note


async def call(ctx: JobContext) -> onhook.DialResult:
    scenario = json.loads(ctx.job.metadata)
    result = await onhook.dial(
        ctx,
        scenario["callee"],
        scenario["trunk"],
        identity="the-patient",
        deadline=scenario.get("deadline", 15.0),
        max_call=scenario.get("max_call"),
    )
    note(
        "dialled",
        scenario["id"],
        room=ctx.room.name,
        ending=result.ending,
        status=result.status,
        fault=result.fault,
    )
    return result


@fault
async def dials(ctx: JobContext) -> None:
    if (await call(ctx)).answered:
        await greet(ctx)
    await asyncio.Event().wait()


@fault
async def dials_and_is_cancelled(ctx: JobContext) -> None:
    task = asyncio.create_task(call(ctx))
    await asyncio.sleep(json.loads(ctx.job.metadata)["cancelled_after"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    note("cancelled", json.loads(ctx.job.metadata)["id"], room=ctx.room.name)
    await asyncio.Event().wait()


@fault
async def dials_in_an_outage(ctx: JobContext) -> None:
    try:
        await call(ctx)
    except onhook.OutageError as error:
        note("refused", json.loads(ctx.job.metadata)["id"], text=str(error))

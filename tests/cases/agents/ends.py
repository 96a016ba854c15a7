"""Agents that end their session, their job or the call in one of many ways."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import timedelta

from livekit import api
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    JobContext,
    RunContext,
    function_tool,
)
from livekit.agents.beta.tools import EndCallTool

import onhook
from tests.cases.agents.parts import (
    Desk,
    agent,
    dial,
    go,
    greet,
    mark,
    session,
    talking,
    talking_until_told,
)
from tests.cases.agents.realtime import answers_once
from tests.cases.agents.realtime_model import RealtimeModel


class ShuttingDown(Desk):
    @function_tool
    async def end_call(self, context: RunContext[None]) -> None:
        """End the call."""
        mark("struck")
        context.session.shutdown()


class Closing(Desk):
    @function_tool
    async def end_call(self, context: RunContext[None]) -> None:
        """End the call from a task of its own: a tool cannot close the session it runs in."""
        self.closing = asyncio.create_task(self.close_soon())

    async def close_soon(self) -> None:
        await asyncio.sleep(0.5)
        mark("struck")
        await self.session.aclose()


class SlowToLeave(Desk):
    async def on_exit(self) -> None:
        await asyncio.sleep(20)  # a summary is written, a customer file is saved


@agent
@onhook.guard
async def shuts_its_session_down_in_a_tool(ctx: JobContext) -> None:
    await talking(ctx, ShuttingDown())


@agent
@onhook.guard
async def shuts_its_session_down_at_a_goodbye(ctx: JobContext) -> None:
    """End the session as soon as the answer to the caller's goodbye is spoken."""
    made = await talking(ctx)

    def changed(event: AgentStateChangedEvent) -> None:
        if event.old_state == "speaking" and event.new_state == "listening":
            mark("struck")
            made.shutdown()

    made.on("agent_state_changed", changed)


@agent
@onhook.guard
async def closes_its_session_in_a_task(ctx: JobContext) -> None:
    await talking(ctx, Closing())


@agent
@onhook.guard
async def closes_its_session_and_returns(ctx: JobContext) -> None:
    made = await talking_until_told(ctx)
    await made.say("Goodbye.").wait_for_playout()
    mark("struck")
    await made.aclose()


@agent
@onhook.guard
async def drains_its_session(ctx: JobContext) -> None:
    """Shut the session down while the goodbye is still being said."""
    made = await talking_until_told(ctx)
    goodbye = made.say("Thank you for your call. We are looking forward to your visit. Goodbye.")
    made.shutdown(drain=True)
    await goodbye.wait_for_playout()
    mark("struck")


@agent
@onhook.guard
async def shuts_down_slowly(ctx: JobContext) -> None:
    """Leave, with a realtime session that takes 20 s to close."""
    told = go(ctx)
    made: AgentSession[None] = AgentSession(llm=RealtimeModel(answers_once, close_takes=20.0))
    await made.start(Desk(), room=ctx.room)
    await made.generate_reply(instructions="Greet the caller.").wait_for_playout()
    mark("greeted")
    await told.wait()
    mark("struck")
    ctx.shutdown("done")


@agent
@onhook.guard
async def leaves_slowly(ctx: JobContext) -> None:
    """Leave, with an agent whose own last steps take 20 s."""
    await talking_until_told(ctx, SlowToLeave())
    mark("struck")
    ctx.shutdown("done")


@agent
@onhook.guard
async def has_the_end_call_tool(ctx: JobContext) -> None:
    await talking(ctx, tools=[EndCallTool()])


async def refer(ctx: JobContext, *, rings: float | None = None) -> None:
    """Send the caller elsewhere, and do not wait for the outcome for long.

    Args:
        rings: Seconds that the transfer may take; the server's own time when omitted.
    """
    told = go(ctx)
    made = session()
    await made.start(Desk(), room=ctx.room)
    await greet(made)
    await told.wait()
    caller = next(iter(ctx.room.remote_participants.values()))
    request = api.TransferSIPParticipantRequest(
        participant_identity=caller.identity,
        room_name=ctx.room.name,
        transfer_to="tel:+15550188",
    )
    if rings is not None:
        request.ringing_timeout.FromTimedelta(timedelta(seconds=rings))
    mark("referring")
    try:
        async with asyncio.timeout(5):
            await ctx.api.sip.transfer_sip_participant(request)
    except Exception as error:  # as agents do: whatever it was, the call is no longer theirs
        mark("transfer_error", error=repr(error))
    mark("struck")


@agent
@onhook.guard
async def refers_and_leaves(ctx: JobContext) -> None:
    await refer(ctx)
    ctx.shutdown("transferred")


@agent
@onhook.guard
async def refers_for_a_minute_and_leaves(ctx: JobContext) -> None:
    await refer(ctx, rings=60.0)
    ctx.shutdown("transferred")


@agent
@onhook.guard
async def refers_and_is_killed(ctx: JobContext) -> None:
    await refer(ctx)
    os.kill(os.getpid(), signal.SIGKILL)


async def send_for(ctx: JobContext, name: str) -> None:
    """Send another agent to the caller's room, with what this one was sent with."""
    given = {**json.loads(ctx.job.metadata), "agent": "plain_desk"}
    mark("struck")
    await ctx.api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(
            agent_name=name, room=ctx.room.name, metadata=json.dumps(given)
        )
    )


@agent
@onhook.guard
async def sends_for_another_and_leaves(ctx: JobContext) -> None:
    """Hand the caller to another agent, and do not wait for it."""
    await talking_until_told(ctx)
    await send_for(ctx, os.environ["CASES_AGENT"])
    ctx.shutdown("another agent has the call")


@agent
@onhook.guard
async def sends_for_another_and_ends_its_session(ctx: JobContext) -> None:
    made = await talking_until_told(ctx)
    await send_for(ctx, os.environ["CASES_AGENT"])
    made.shutdown()


@agent
@onhook.guard
async def sends_for_nobody_and_leaves(ctx: JobContext) -> None:
    await talking_until_told(ctx)
    await send_for(ctx, "an-agent-without-a-worker")
    ctx.shutdown("another agent has the call")


@agent
@onhook.guard
async def rings_a_colleague_and_leaves(ctx: JobContext) -> None:
    """Leave the caller to a colleague whose phone still rings."""
    await talking_until_told(ctx)
    await dial(ctx, "colleague", wait=False)
    mark("struck")
    ctx.shutdown("a colleague has the call")


@agent
@onhook.guard
async def is_linked_to_one_of_two(ctx: JobContext) -> None:
    """Converse with the caller; a second phone joins later."""
    await talking(ctx)
    await asyncio.Event().wait()


@agent
@onhook.guard
async def exits_hard(ctx: JobContext) -> None:
    await talking_until_told(ctx)
    mark("struck")
    os._exit(1)

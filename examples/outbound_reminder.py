"""An outbound call: the agent dials, and a callee who answers is never left in silence.

Offline, each in a terminal of its own, with the lines that the first two print set in the third:

    onhook stack up
    onhook simulator
    python -m livekit.agents start examples/outbound_reminder.py --dev
    onhook call --listen

Then send it to call somebody, by a trunk that leads there:

    lk dispatch create --new-room --agent-name reminder \
        --metadata '{"number": "+15550100", "trunk": "ST_..."}'

With OpenAI itself: leave OPENAI_BASE_URL unset, and set your own OPENAI_API_KEY.
"""

import json

from livekit.agents import Agent, AgentServer, AgentSession, JobContext
from livekit.plugins import openai

import onhook

server = AgentServer()

policy = onhook.Policy(
    lost=[
        onhook.Say("Sorry, something went wrong on our side. We will call you again. Goodbye."),
        onhook.HangUp(),
    ],
    first_audio=3.0,  # a callee who says hello waits less patiently than a caller does
)


@server.rtc_session(agent_name="reminder")
@onhook.guard(policy)
async def reminder(ctx: JobContext) -> None:
    order = json.loads(ctx.job.metadata)
    called = await onhook.dial(ctx, order["number"], order["trunk"], deadline=30, max_call=300)
    if not called.answered:
        ctx.shutdown(called.detail)  # busy, declined, no answer: no leg is left
        return
    session: AgentSession[None] = AgentSession(**onhook.providers(tts=[openai.TTS()]))
    await session.start(Agent(instructions="You remind people."), room=ctx.room)
    await session.say("Hello. This is a reminder of your appointment tomorrow at nine. Goodbye.")
    ctx.shutdown("the reminder was given")

"""A phone agent that answers, greets and then fails: what its caller hears is onhook's business.

Run it against your own server (LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET) with

    python -m livekit.agents start examples/front_desk.py --dev

It needs espeak-ng and no provider keys. To use a real voice, change the one line marked below.
"""

import asyncio

from livekit.agents import Agent, AgentServer, AgentSession, JobContext

import onhook
from onhook.bench.demo.espeak_voice import EspeakTTS

server = AgentServer()


@server.rtc_session(agent_name="front-desk")
@onhook.guard
async def front_desk(ctx: JobContext) -> None:
    session: AgentSession[None] = AgentSession(
        tts=EspeakTTS(),  # a real voice: tts="cartesia/sonic-3"
    )
    await session.start(Agent(instructions="You are the front desk."), room=ctx.room)
    await session.say("Hello, this is the front desk. One moment, I'll look you up.")
    await asyncio.sleep(3)
    raise ConnectionError("the customer database is down")

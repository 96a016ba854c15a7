"""An outbound call: the agent dials, and a callee who answers is never left in silence.

Dispatch it with the number and the trunk in the metadata:

    lk dispatch create --new-room --agent-name reminder \
        --metadata '{"number": "+15550100", "trunk": "ST_..."}'
"""

import json

from livekit import api
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli

import onhook
from onhook.demo.voice import EspeakTTS

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
    await ctx.connect()
    await ctx.api.sip.create_sip_participant(
        api.CreateSIPParticipantRequest(
            sip_trunk_id=order["trunk"],
            sip_call_to=order["number"],
            room_name=ctx.room.name,
            participant_identity="callee",
            wait_until_answered=True,
        ),
        timeout=60,
    )
    session: AgentSession[None] = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions="You remind people."), room=ctx.room)
    await session.say("Hello. This is a reminder of your appointment tomorrow at nine. Goodbye.")
    ctx.shutdown("the reminder was given")


if __name__ == "__main__":
    cli.run_app(server)

"""A meeting with a phone leg: the agent fetches somebody by phone, announces them and listens.

When it fails, the people in the meeting are left alone; a caller who has nobody else is told so.

Offline, each in a terminal of its own, with the lines that the first two print set in the third:

    onhook stack up
    onhook simulator --answer "That is noted."
    python -m livekit.agents start examples/meeting.py --dev
    onhook call --listen --say "Please note that we meet again on Monday."

Then send it to a meeting, with a number and a trunk that leads there:

    lk dispatch create --room standup --agent-name secretary \
        --metadata '{"number": "+15550100", "trunk": "ST_..."}'

With OpenAI itself: leave OPENAI_BASE_URL unset, and set your own OPENAI_API_KEY.
"""

import json

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, room_io
from livekit.plugins import openai, silero

import onhook

server = AgentServer()

policy = onhook.Policy(
    lost=[
        onhook.HandOver(),  # one person is enough company: no word, and nobody is hung up on
        onhook.Say("The meeting's assistant has failed, and nobody else is here. Goodbye."),
        onhook.HangUp(),
    ]
)


@server.rtc_session(agent_name="secretary")
@onhook.guard(policy)
async def secretary(ctx: JobContext) -> None:
    order = json.loads(ctx.job.metadata)
    called = await onhook.dial(ctx, order["number"], order["trunk"], name="by phone")
    session: AgentSession[None] = AgentSession(
        **onhook.providers(
            stt=[openai.STT(use_realtime=False)],
            llm=[openai.LLM()],
            tts=[openai.TTS()],
            vad=silero.VAD.load(),
        )
    )
    await session.start(
        Agent(instructions="You take notes. Confirm each in a few words."),
        room=ctx.room,
        room_options=room_io.RoomOptions(participant_identity=called.identity)
        if called.answered
        else room_io.RoomOptions(),
    )
    await session.say(
        "Welcome to the meeting. I take notes."
        if called.answered
        else f"The phone was not answered: {called.detail}."
    )

"""An agent that hands its callers to a person: when they ask for one, and when it fails.

Offline, each in a terminal of its own, with the lines that the first two print set in the third:

    onhook stack up --agent help-desk
    onhook simulator
    python -m livekit.agents start examples/transfer_to_human.py --dev
    onhook call +15550100 --say "I need some help please."

Once it is up, let the model fail (the simulator prints the address), and call again:

    curl -X PUT --json '{"standing": {"chat": {"kind": "status", "status": 401}}}' CONTROL-ADDRESS

With OpenAI itself: leave OPENAI_BASE_URL unset, and set your own OPENAI_API_KEY.
"""

import os

from livekit import api
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, function_tool
from livekit.plugins import openai, silero

import onhook

DESK = os.environ.get("DESK", "tel:+15550123")

server = AgentServer()

policy = onhook.Policy(
    lost=[
        onhook.Say("I am having a problem. Let me transfer you to a colleague."),
        onhook.Transfer(DESK),
        onhook.Say("My colleague cannot be reached. Please call again later. Goodbye."),
        onhook.HangUp(),
    ]
)


class HelpDesk(Agent):
    def __init__(self, ctx: JobContext) -> None:
        super().__init__(instructions="Help the caller. Transfer them when they want a person.")
        self.ctx = ctx

    @function_tool
    async def transfer_to_a_person(self) -> str:
        """Transfer the caller to a person."""
        caller = await self.ctx.wait_for_participant()
        request = api.TransferSIPParticipantRequest(
            room_name=self.ctx.room.name,
            participant_identity=caller.identity,
            transfer_to=DESK,
        )
        async with onhook.busy():  # the transfer's own ringing is heard
            await self.ctx.api.sip.transfer_sip_participant(request, timeout=30)
        return "The caller was transferred."


@server.rtc_session(agent_name="help-desk")
@onhook.guard(policy)
async def help_desk(ctx: JobContext) -> None:
    session: AgentSession[None] = AgentSession(
        **onhook.providers(
            stt=[openai.STT(use_realtime=False)],
            llm=[openai.LLM()],
            tts=[openai.TTS()],
            vad=silero.VAD.load(),
        )
    )
    await session.start(HelpDesk(ctx), room=ctx.room)
    await session.say("Hello, this is the help desk. What can I do for you?")

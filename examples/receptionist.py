"""A receptionist who takes reservations, and says so while a look-up takes long.

Offline, each in a terminal of its own, with the lines that the first two print set in the third:

    onhook stack up --agent receptionist
    onhook simulator --answer "Certainly, a table for two at eight."
    python -m livekit.agents start examples/receptionist.py --dev
    onhook call +15550100 --say "I would like a table for two please."

With OpenAI itself: leave OPENAI_BASE_URL unset, and set your own OPENAI_API_KEY.
"""

import asyncio

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, function_tool
from livekit.plugins import openai, silero

import onhook

server = AgentServer()


class Receptionist(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You take reservations for a restaurant. Be brief.")

    async def on_enter(self) -> None:
        await self.session.say("Good evening, this is the Blue Door. How may I help you?")

    @function_tool
    async def free_tables(self, guests: int, hour: int) -> str:
        """Look up which tables are free."""
        async with onhook.busy("I am looking that up for you.", every=8):
            await asyncio.sleep(12)  # the reservation system is a slow one
        return f"There is a table for {guests} at {hour}."


@server.rtc_session(agent_name="receptionist")
@onhook.guard
async def receptionist(ctx: JobContext) -> None:
    session: AgentSession[None] = AgentSession(
        **onhook.providers(
            stt=[openai.STT(use_realtime=False)],
            llm=[openai.LLM()],  # a second one to fail over to: "google/gemini-2.5-flash"
            tts=[openai.TTS()],
            vad=silero.VAD.load(),
        )
    )
    await session.start(Receptionist(), room=ctx.room)

"""Agents on a realtime model."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import AgentSession, JobContext, RunContext, function_tool, llm

import onhook
from tests.cases.agents.parts import Desk, agent, mark
from tests.cases.agents.realtime_model import RealtimeModel, RealtimeSession

REQUEST = "I would like a table for two please."
ANSWER = "Certainly, I have a table for two this evening. Which name is it?"


async def starts(ctx: JobContext, model: RealtimeModel, desk: Desk | None = None) -> None:
    session: AgentSession[None] = AgentSession(llm=model)
    await session.start(desk or Desk(), room=ctx.room)
    await session.generate_reply(instructions="Greet the caller.").wait_for_playout()
    mark("greeted")


async def transcribes_when_it_has_spoken(session: RealtimeSession, turn: int) -> None:
    began = session.began
    await asyncio.sleep(session.speak(ANSWER) + 0.3)
    session.transcribe(REQUEST, began=began)
    mark("transcript")


async def transcribes_a_second_later(session: RealtimeSession, turn: int) -> None:
    """Answer in a word, and tell a second later what it was that the caller said."""
    began = session.began
    session.speak("Certainly.")
    await asyncio.sleep(1.0)
    session.transcribe(REQUEST, began=began)
    await asyncio.sleep(1.0)
    mark("transcript")


async def transcribes_nothing(session: RealtimeSession, turn: int) -> None:
    session.speak(ANSWER)


async def answers_once(session: RealtimeSession, turn: int) -> None:
    if turn > 1:
        mark("ignored")
        return
    session.transcribe(REQUEST)
    session.speak("Certainly. At what time?")
    mark("first")


async def answers_what_is_no_murmur(session: RealtimeSession, turn: int) -> None:
    """Take every second utterance for what a listener murmurs."""
    if turn % 2:
        session.transcribe(REQUEST)
        session.speak(ANSWER)


async def goes_on_after_the_tool(session: RealtimeSession, turn: int) -> None:
    session.transcribe(REQUEST)
    session.speak("One moment, I will look.", tool="book")
    await asyncio.sleep(6)
    session.speak("The table is booked.")


async def never_goes_on_after_the_tool(session: RealtimeSession, turn: int) -> None:
    if turn > 1:
        return
    session.transcribe(REQUEST)
    session.speak(tool="book")


class Booking(Desk):
    @function_tool
    async def book(self, context: RunContext[None]) -> str:
        """Book a table."""
        await asyncio.sleep(1)
        mark("booked")
        return "The table is booked."


@agent
@onhook.guard
async def realtime_with_transcripts_at_the_end(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(transcribes_when_it_has_spoken))


@agent
@onhook.guard
async def realtime_with_transcripts_a_second_late(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(transcribes_a_second_later, speech_events=True))


@agent
@onhook.guard
async def realtime_without_transcripts(ctx: JobContext) -> None:
    model = RealtimeModel(transcribes_nothing, transcribes=False, speech_events=True)
    await starts(ctx, model)


@agent
@onhook.guard
async def realtime_that_goes_quiet(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(answers_once))


@agent
@onhook.guard
async def realtime_with_speech_events_that_goes_quiet(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(answers_once, speech_events=True))


@agent
@onhook.guard
async def realtime_that_ignores_murmurs(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(answers_what_is_no_murmur, speech_events=True))


class NeverGreeting(RealtimeModel):
    def session(self, **_: Any) -> RealtimeSession:
        return NeverGreetingSession(self)


class NeverGreetingSession(RealtimeSession):
    def generate_reply(self, **_: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        mark("struck")
        return asyncio.get_running_loop().create_future()


@agent
@onhook.guard
async def realtime_that_never_greets(ctx: JobContext) -> None:
    await starts(ctx, NeverGreeting(transcribes_nothing))


@agent
@onhook.guard
async def realtime_with_a_tool(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(goes_on_after_the_tool), Booking())


@agent
@onhook.guard
async def realtime_that_is_stuck_after_a_tool(ctx: JobContext) -> None:
    await starts(ctx, RealtimeModel(never_goes_on_after_the_tool), Booking())

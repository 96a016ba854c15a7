"""Agents that really converse: silero hears, a scripted model answers, espeak-ng speaks."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentSession,
    APIConnectOptions,
    APIStatusError,
    JobContext,
    NotGivenOr,
    llm,
    stt,
    tts,
)
from livekit.agents.utils import AudioBuffer
from livekit.plugins import silero

from onhook.demo.voice import EspeakTTS
from tests.agents.faults import FAULTS, GREETING, note, reach, strike
from tests.livekit.voices import raising_tts

HEARD = "I would like a table for two please."
ANSWER = "Certainly, a table for two it is."

Script = Callable[[], Awaitable[str]]


class HearingSTT(stt.STT[Any]):
    """Understands the same sentence whenever somebody has spoken."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        heard = stt.SpeechData(language="en", text=HEARD)  # type: ignore[arg-type]
        return stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[heard])


class ScriptedLLM(llm.LLM[Any]):
    """Answers what its script returns, raises what it raises, hangs where it hangs."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = APIConnectOptions(),  # noqa: B008 - frozen
        **_: Any,
    ) -> llm.LLMStream:
        return _Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Answer(llm.LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, ScriptedLLM)
        if text := await self._llm.script():
            delta = llm.ChoiceDelta(role="assistant", content=text)
            self._event_ch.send_nowait(llm.ChatChunk(id="c", delta=delta))


async def converse(
    ctx: JobContext, script: Script, voice: Callable[[], tts.TTS[Any]] = EspeakTTS
) -> None:
    """Greet, then answer every turn as the script says; the first one is the fault."""
    await reach(ctx)
    scenario = json.loads(ctx.job.metadata)
    struck = asyncio.Event()

    async def scripted() -> str:
        if not struck.is_set():
            struck.set()
            strike(ctx)
        return await script()

    session: AgentSession[None] = AgentSession(
        vad=silero.VAD.load(), stt=HearingSTT(), llm=ScriptedLLM(scripted), tts=voice()
    )
    await session.start(Agent(instructions="Take a reservation."), room=ctx.room)
    if voice is EspeakTTS:
        await session.say(GREETING).wait_for_playout()
    note("greeted", scenario["id"], room=ctx.job.room.name)
    await asyncio.Event().wait()


async def answers() -> str:
    return ANSWER


async def answers_late() -> str:
    await asyncio.sleep(3.5)
    return ANSWER


async def hangs() -> str:
    await asyncio.Event().wait()
    return ""


async def is_refused() -> str:
    raise APIStatusError("invalid key", status_code=401, retryable=False)


async def is_empty() -> str:
    return ""


FAULTS["conversation_goes_well"] = functools.partial(converse, script=answers)
FAULTS["llm_is_slow"] = functools.partial(converse, script=answers_late)
FAULTS["llm_hangs"] = functools.partial(converse, script=hangs)
FAULTS["llm_is_refused"] = functools.partial(converse, script=is_refused)
FAULTS["llm_is_empty"] = functools.partial(converse, script=is_empty)
FAULTS["tts_raises_oddly"] = functools.partial(converse, script=answers, voice=raising_tts)

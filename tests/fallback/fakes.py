"""Providers that do what their script says, on the test's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    llm,
    stt,
    tts,
)
from livekit.agents.utils import AudioBuffer

RATE = 16000

Script = Callable[[], AsyncIterator[Any]]


async def nothing() -> AsyncIterator[Any]:
    return
    yield


async def for_ever() -> None:
    await asyncio.Event().wait()


def tone(seconds: float, *, rate: int = RATE, level: int = 8000) -> bytes:
    samples = np.sin(np.arange(int(seconds * rate)) * 0.3) * level
    return bytes(samples.astype(np.int16).tobytes())


def silence(seconds: float, *, rate: int = RATE) -> bytes:
    return bytes(2 * int(seconds * rate))


class FakeLLM(llm.LLM[Any]):
    def __init__(self, script: Script = nothing) -> None:
        super().__init__()
        self.script = script
        self.asked = 0

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        self.asked += 1
        return _Answer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Answer(llm.LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, FakeLLM)
        async for each in self._llm.script():
            delta = each
            if isinstance(each, str):
                delta = llm.ChoiceDelta(role="assistant", content=each)
            self._event_ch.send_nowait(llm.ChatChunk(id="c", delta=delta))


class FakeTTS(tts.TTS[Any]):
    def __init__(self, script: Script = nothing, rate: int = RATE) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=rate, num_channels=1
        )
        self.script = script
        self.asked = 0

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        self.asked += 1
        return _Speech(tts=self, input_text=text, conn_options=conn_options)


class _Speech(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, FakeTTS)
        output_emitter.initialize(
            request_id="r",
            sample_rate=self._tts.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=20,
        )
        async for each in self._tts.script():
            output_emitter.push(each)
            output_emitter.flush()


class FakeSTT(stt.STT[Any]):
    """Its script yields the transcript; a stream's script is run for every stream."""

    def __init__(self, script: Script = nothing, *, streaming: bool = False) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(streaming=streaming, interim_results=False)
        )
        self.script = script
        self.asked = 0
        self.heard: list[rtc.AudioFrame] = []

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        self.asked += 1
        return final("".join([each async for each in self.script()]))

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        self.asked += 1
        return _Hearing(stt=self, conn_options=conn_options)


class _Hearing(stt.RecognizeStream):
    async def _run(self) -> None:
        assert isinstance(self._stt, FakeSTT)
        listening = asyncio.ensure_future(self._listen(self._stt))
        try:
            async for each in self._stt.script():
                self._event_ch.send_nowait(final(each))
            await listening
        finally:
            listening.cancel()

    async def _listen(self, member: FakeSTT) -> None:
        async for data in self._input_ch:
            if isinstance(data, rtc.AudioFrame):
                member.heard.append(data)


def final(text: str) -> stt.SpeechEvent:
    data = stt.SpeechData(language="en", text=text)  # type: ignore[arg-type]
    return stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])

"""TTS engines that fail in every way the framework lets them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, APIStatusError, tts

RATE = 16000


class ScriptedTTS(tts.TTS[str]):
    """Runs `script` for every synthesis; what it returns is what is heard."""

    def __init__(self, script: Callable[[], Awaitable[bytes]], voice: str = "v") -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1
        )
        self.script = script
        self.voice = voice
        self.requests: list[str] = []

    @property
    def count(self) -> int:
        """How often it was asked, itself or by a copy of it."""
        return len(self.requests)

    @property
    def model(self) -> str:
        return self.voice

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        self.requests.append(text)
        return _Stream(tts=self, input_text=text, conn_options=conn_options)


class _Stream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, ScriptedTTS)
        pcm = await self._tts.script()
        output_emitter.initialize(
            request_id="r", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(pcm)
        output_emitter.flush()


class StreamingTTS(ScriptedTTS):
    """A voice that has only a stream, as some plugins do."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        self.requests.append(text)
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        return _SentenceStream(tts=self, conn_options=conn_options)


class _SentenceStream(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, ScriptedTTS)
        output_emitter.initialize(
            request_id="r",
            sample_rate=RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id="s")
        async for _ in self._input_ch:
            pass
        output_emitter.push(await self._tts.script())
        output_emitter.end_segment()


async def speaks() -> bytes:
    t = np.arange(RATE) / RATE
    return (np.sin(2 * np.pi * 300 * t) * 8000).astype(np.int16).tobytes()


async def hangs() -> bytes:
    await asyncio.Event().wait()
    return b""


async def raises() -> bytes:
    raise RuntimeError("no APIError, as plugins do")


async def too_many_requests() -> bytes:
    raise APIStatusError("too many requests", status_code=429, retryable=False)


async def silence() -> bytes:
    return bytes(2 * RATE)


async def nothing() -> bytes:
    return b""


def hanging_tts() -> ScriptedTTS:
    return ScriptedTTS(hangs)


def raising_tts() -> ScriptedTTS:
    return ScriptedTTS(raises)


def silent_tts() -> ScriptedTTS:
    return ScriptedTTS(silence)

"""A voice whose first sound, and every next one, has a deadline; and a sentence that is finished.

A sentence is one request: its text is known, so that its deadlines are exact, and whoever takes
over in mid-sentence says that one sentence again. Voices that stream are asked sentence by sentence
too.
"""

from __future__ import annotations

import contextvars
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APITimeoutError,
    tts,
    utils,
)

from onhook.fallback.labels import Named
from onhook.fallback.stage import Attempt, Stage
from onhook.livekit.framework.plugin_streams import send_audio
from onhook.livekit.pcm import Pcm, audible

__all__ = ["GuardedTTS", "Voices"]

_WINDOW = 0.02
"""Seconds of sound that are enough to be heard."""


@dataclass
class _Cut:
    """Notes that a voice stopped in the middle of the sentence that is being said."""

    happened: bool = False


_CUT: contextvars.ContextVar[_Cut | None] = contextvars.ContextVar("onhook_cut", default=None)


class GuardedTTS(Named, tts.TTS[Any]):
    """A voice as a member of a fallback adapter.

    Args:
        inner: The voice.
        stage: What it shares with the others.
    """

    def __init__(self, inner: tts.TTS[Any], stage: Stage) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=inner.sample_rate,
            num_channels=inner.num_channels,
        )
        self.inner = inner
        self.stage = stage
        stage.members.append(self)

    def prewarm(self) -> None:
        """See `livekit.agents.tts.TTS.prewarm`."""
        self.inner.prewarm()

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """See `livekit.agents.tts.TTS.synthesize`."""
        return _Speech(tts=self, input_text=text, conn_options=conn_options)

    async def aclose(self) -> None:
        """Close the voice."""
        await self.stage.aclose()
        await self.inner.aclose()


class _Speech(tts.ChunkedStream):
    _tts: GuardedTTS

    def __init__(
        self, *, tts: GuardedTTS, input_text: str, conn_options: APIConnectOptions
    ) -> None:
        super().__init__(tts=tts, input_text=input_text, conn_options=conn_options)
        self._member = tts
        self._sayable = any(letter.isalnum() for letter in input_text)
        self._held: list[rtc.AudioFrame] = []
        self._played_until: float | None = None

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        stage, member = self._member.stage, self._member
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=member.sample_rate,
            num_channels=member.num_channels,
            mime_type="audio/pcm",
        )
        cut = _CUT.get()
        with stage.attempt(member) as attempt:
            try:
                await stage.patiently(
                    member, attempt.limit, lambda: self._ask(output_emitter, attempt)
                )
            except Exception:
                if self._played_until is not None and cut is not None and not attempt.probe:
                    cut.happened = True
                    attempt.since = min(self._played_until, stage.clock())
                raise

    async def _ask(self, emitter: tts.AudioEmitter, attempt: Attempt) -> None:
        stage, member = self._member.stage, self._member
        self._held.clear()
        options = APIConnectOptions(max_retry=0, timeout=stage.first)
        stream = member.inner.synthesize(self.input_text, conn_options=options)
        try:
            async for frame in self._frames(stream, attempt.limit):
                self._pass(emitter, frame, probe=attempt.probe)
        except APIError as error:
            if self._played_until is not None:
                error.retryable = False
            raise
        finally:
            await stage.close(stream.aclose())
        if self._played_until is None and self._sayable:
            seconds = sum(frame.duration for frame in self._held)
            raise APIError(f"{member.label} sent no sound: {seconds:.1f} s of silence")
        for frame in self._held:
            send_audio(emitter, frame)

    def _pass(self, emitter: tts.AudioEmitter, frame: rtc.AudioFrame, *, probe: bool) -> None:
        """Hand a frame on; silence waits until there is sound, for it may be all that comes."""
        now = self._member.stage.clock()
        if self._played_until is None:
            self._held.append(frame)
            samples = np.frombuffer(frame.data, np.int16)
            if not audible(Pcm(samples, frame.sample_rate * frame.num_channels), _WINDOW):
                return
            if not probe:
                self._member.stage.turn.begins()
            self._played_until = now
            frames, self._held = self._held, []
        else:
            frames = [frame]
        for each in frames:
            self._played_until = max(now, self._played_until) + each.duration
            send_audio(emitter, each)

    async def _frames(self, stream: tts.ChunkedStream, limit: float) -> Any:
        stage = self._member.stage
        while True:
            now = stage.clock()
            if self._played_until is None:
                seconds, what = max(0.0, limit - now), "sent no sound"
            else:  # audio comes faster than it is played: the caller does not miss it yet
                ahead = max(0.0, self._played_until - now)
                seconds, what = ahead + stage.between, "stopped in mid-sentence, silent"
            try:
                audio = await stage.within(seconds, anext(stream))
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                text = f"{self._member.label} {what} within {seconds:.1f} s"
                raise APITimeoutError(text) from error
            yield audio.frame


class Voices(tts.TTS[Any]):
    """The framework's fallback adapter, and a sentence that is said again where it was cut.

    The adapter itself keeps silent about a voice that fails after its first sound: the sentence
    would end there, and nobody would know.

    Args:
        members: The voices, in the order in which they are asked.
        stage: What they share.
    """

    def __init__(self, members: list[tts.TTS[Any]], stage: Stage) -> None:
        self._adapter = tts.FallbackAdapter(members, max_retry_per_tts=0)
        super().__init__(
            capabilities=self._adapter.capabilities,
            sample_rate=self._adapter.sample_rate,
            num_channels=self._adapter.num_channels,
        )
        self._stage = stage
        self._adapter.on("tts_availability_changed", self._on_change)

    @property
    def label(self) -> str:
        """The adapter's label."""
        return self._adapter.label

    @property
    def model(self) -> str:
        """The model of the voice that is asked next."""
        return self._adapter.model

    @property
    def provider(self) -> str:
        """The provider of the voice that is asked next."""
        return self._adapter.provider

    def prewarm(self) -> None:
        """See `livekit.agents.tts.TTS.prewarm`."""
        self._adapter.prewarm()

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """See `livekit.agents.tts.TTS.synthesize`."""
        return _Sentence(voices=self, text=text, conn_options=replace(conn_options, max_retry=0))

    async def aclose(self) -> None:
        """End the probes that ask whether a voice is back."""
        self._adapter.off("tts_availability_changed", self._on_change)
        await self._adapter.aclose()
        await self._stage.aclose()

    def _on_change(self, event: Any) -> None:
        self._stage.changed(event.tts, available=event.available)
        self.emit("tts_availability_changed", event)


class _Sentence(tts.ChunkedStream):
    def __init__(self, *, voices: Voices, text: str, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=voices, input_text=text, conn_options=conn_options)
        self._voices = voices
        self._options = conn_options

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        voices = self._voices
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=voices.sample_rate,
            num_channels=voices.num_channels,
            mime_type="audio/pcm",
        )
        for _ in voices._stage.members:
            cut = _Cut()
            _CUT.set(cut)  # this stream's own task and context; those below it inherit it
            async with voices._adapter.synthesize(
                self.input_text, conn_options=self._options
            ) as stream:
                async for audio in stream:
                    send_audio(output_emitter, audio.frame)
            if not cut.happened:
                return
            output_emitter.flush()
        raise APIConnectionError("every voice stopped in mid-sentence", retryable=False)

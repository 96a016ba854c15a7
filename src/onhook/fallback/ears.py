"""A recogniser whose transcript has a deadline."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    APIError,
    APITimeoutError,
    NotGivenOr,
    stt,
)
from livekit.agents.utils import AudioBuffer

from onhook.fallback.stage import Stage
from onhook.fallback.watch import logger

__all__ = ["GuardedSTT"]

_SETTLED = 5.0
"""Seconds after which a connection that breaks had been a working one."""


class GuardedSTT(stt.STT[Any]):
    """A recogniser as a member of a fallback adapter.

    An empty transcript is an answer: a cough is no words.

    Args:
        inner: The recogniser.
        stage: What it shares with the others.
    """

    def __init__(self, inner: stt.STT[Any], stage: Stage) -> None:
        super().__init__(capabilities=dataclasses.replace(inner.capabilities))
        self.inner = inner
        self.stage = stage
        stage.members.append(self)

    @property
    def label(self) -> str:
        """The recogniser's own label."""
        return self.inner.label

    @property
    def model(self) -> str:
        """The recogniser's own model."""
        return self.inner.model

    @property
    def provider(self) -> str:
        """The recogniser's own provider."""
        return self.inner.provider

    def prewarm(self) -> None:
        """See `livekit.agents.stt.STT.prewarm`."""
        self.inner.prewarm()

    # the session hands words to expect and its history to recognisers by these two alone, and
    # the framework's adapters hand them on in the same way
    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self.inner._update_session_keyterms(keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        self.inner._push_conversation_item(ev)

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        if not self.stage.probes(self) and self.stage.utterance is not buffer:
            self.stage.utterance = buffer  # the same for every member that is asked
            self.stage.turn.begins()
        events: list[stt.SpeechEvent] = []
        options = APIConnectOptions(max_retry=0, timeout=self.stage.first)

        async def once() -> None:
            seconds = max(0.0, limit - self.stage.clock())
            asking = self.inner.recognize(buffer, language=language, conn_options=options)
            try:
                events.append(await self.stage.within(seconds, asking))
            except TimeoutError as error:
                text = f"{self.label} sent no transcript within {seconds:.1f} s"
                raise APITimeoutError(text) from error

        with self.stage.attempt(self) as attempt:
            limit = attempt.limit
            await self.stage.patiently(limit, once)
        return events[-1]

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        """See `livekit.agents.stt.STT.stream`."""
        return _Hearing(self, language=language, conn_options=conn_options)

    async def aclose(self) -> None:
        """Close the recogniser."""
        await self.stage.aclose()
        await self.inner.aclose()


class _Hearing(stt.RecognizeStream):
    """A stream of the recogniser's own, opened again when a working connection breaks."""

    def __init__(
        self, member: GuardedSTT, *, language: NotGivenOr[str], conn_options: APIConnectOptions
    ) -> None:
        super().__init__(stt=member, conn_options=dataclasses.replace(conn_options, max_retry=0))
        self._member = member
        self._language = language

    async def _run(self) -> None:
        stage = self._member.stage
        while True:
            opened = stage.clock()
            try:
                with stage.named(self._member):
                    return await self._hear()
            except APIError as error:
                settled = stage.clock() - opened > _SETTLED
                if not (settled and error.retryable) or self._input_ch.closed:
                    raise
                logger.info("%s broke, and is opened again: %s", self._member.label, error)

    async def _hear(self) -> None:
        options = APIConnectOptions(max_retry=0, timeout=self._member.stage.first)
        stream = self._member.inner.stream(language=self._language, conn_options=options)
        stream.start_time_offset = self.start_time_offset
        forwarding = asyncio.ensure_future(self._forward(stream))
        try:
            async for event in stream:
                if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                    self._member.stage.turn.begins()
                self._event_ch.send_nowait(event)
        finally:
            forwarding.cancel()
            await asyncio.wait({forwarding})
            await self._member.stage.close(stream.aclose())

    async def _forward(self, stream: stt.RecognizeStream) -> None:
        async for data in self._input_ch:
            if isinstance(data, self._FlushSentinel):
                stream.flush()
            else:
                stream.push_frame(data)
        stream.end_input()

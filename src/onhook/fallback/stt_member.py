"""A recogniser whose transcript has a deadline."""

from __future__ import annotations

import dataclasses
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    APITimeoutError,
    NotGivenOr,
    stt,
)
from livekit.agents.utils import AudioBuffer
from livekit.agents.vad import VAD

from onhook.fallback.labels import Named
from onhook.fallback.stage import Stage
from onhook.fallback.stt_stream import Hearing
from onhook.livekit.framework.plugin_streams import hand_on_history, hand_on_keyterms

__all__ = ["GuardedSTT"]


class GuardedSTT(Named, stt.STT[Any]):
    """A recogniser as a member of a fallback adapter.

    An empty transcript is an answer: a cough is no words.

    Args:
        inner: The recogniser.
        stage: What it shares with the others.
        vad: Hears when the caller speaks; without it, a stream that writes nothing is not missed.
    """

    def __init__(self, inner: stt.STT[Any], stage: Stage, vad: VAD | None = None) -> None:
        super().__init__(capabilities=dataclasses.replace(inner.capabilities))
        self._vad = vad
        self.inner = inner
        self.stage = stage
        stage.members.append(self)

    def prewarm(self) -> None:
        """See `livekit.agents.stt.STT.prewarm`."""
        self.inner.prewarm()

    # the session hands words to expect and its history to recognisers by these two alone, and
    # the framework's adapters hand them on in the same way
    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        hand_on_keyterms(self.inner, keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        hand_on_history(self.inner, ev)

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
            await self.stage.patiently(self, limit, once)
        return events[-1]

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        """See `livekit.agents.stt.STT.stream`."""
        return Hearing(
            self,
            inner=self.inner,
            stage=self.stage,
            vad=self._vad,
            language=language,
            conn_options=conn_options,
        )

    async def aclose(self) -> None:
        """Close the recogniser."""
        await self.stage.aclose()
        await self.inner.aclose()

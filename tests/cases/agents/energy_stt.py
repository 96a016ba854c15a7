"""A streaming STT without a network: every utterance becomes a line of a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, stt

from tests.cases.agents.realtime_model import Utterances

__all__ = ["EnergySTT", "EnergyStream"]

Behaviour = Callable[["EnergyStream", str], Awaitable[bool]]
"""Takes an edge of the caller's speech; returns whether that was all there is to do."""


class EnergySTT(stt.STT[Any]):
    """The recogniser.

    Args:
        words: What it understands.
        behave: What it does instead at the edges of an utterance.
    """

    def __init__(self, words: str = "I would like a table.", behave: Behaviour | None = None):
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.words = words
        self.behave = behave
        self.streams = 0

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise NotImplementedError  # asked only of a recogniser that does not stream

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> EnergyStream:
        self.streams += 1
        return EnergyStream(self, conn_options)


class EnergyStream(stt.RecognizeStream):
    """One connection to it."""

    def __init__(self, made: EnergySTT, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=made, conn_options=conn_options, sample_rate=16000)
        self.made = made

    def send(self, kind: stt.SpeechEventType, text: str = "") -> None:
        found = [stt.SpeechData(language="en", text=text)] if text else []  # type: ignore[arg-type]
        self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=found))

    async def _run(self) -> None:
        utterances = Utterances()
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            edge = utterances.push(frame)
            if self.made.behave is not None and await self.made.behave(self, edge):
                continue
            if edge == "ended":
                self.send(stt.SpeechEventType.FINAL_TRANSCRIPT, self.made.words)

"""A recogniser's stream: opened again when it breaks, and missed when it writes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APITimeoutError, NotGivenOr, stt
from livekit.agents.vad import VAD, VADEventType, VADStream

from onhook.fallback.availability import logger
from onhook.fallback.stage import PAUSE, Stage
from onhook.livekit.framework.plugin_streams import input_ended, input_of, send

__all__ = ["Hearing"]

_SETTLED = 5.0
"""Seconds after which a connection that breaks had been a working one."""
_SPEECH = 0.8
"""Seconds of speech in which there must be words: a cough is shorter."""
_KEPT = 10.0
"""Seconds of audio that the next recogniser hears again."""
_FRESH = 2.0


@dataclass(frozen=True, slots=True)
class Unheard:
    """What a recogniser was given and has not written down.

    Args:
        by: The recogniser.
        frames: The audio, oldest first.
        at: When it failed, seconds of the stage's clock.
    """

    by: stt.STT[Any]
    frames: tuple[rtc.AudioFrame, ...]
    at: float


class Hearing(stt.RecognizeStream):
    """A stream of one recogniser.

    Args:
        member: The recogniser as a member of its stage.
        inner: The recogniser itself.
        stage: What it shares with the others.
        vad: Hears when the caller speaks, or `None`.
        language: As the session asks for it.
        conn_options: As the session asks for them; retries are the stage's affair.
    """

    def __init__(
        self,
        member: stt.STT[Any],
        *,
        inner: stt.STT[Any],
        stage: Stage,
        vad: VAD | None,
        language: NotGivenOr[str],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=member, conn_options=dataclasses.replace(conn_options, max_retry=0))
        self._member = member
        self._inner = inner
        self._stage = stage
        self._vad = vad
        self._language = language
        self._frames: deque[rtc.AudioFrame] = deque()
        self._seconds = 0.0
        self._written = asyncio.Event()

    async def _run(self) -> None:
        stage = self._stage
        self._take_over()
        since = stage.clock()
        while True:
            opened = stage.clock()
            try:
                with stage.named(self._member):
                    return await self._hear()
            except APIError as error:
                now = stage.clock()
                settled = now - opened > _SETTLED
                since = now if settled else since
                patient = not stage.has_other(self._member) and now + PAUSE < since + stage.first
                again = error.retryable and (settled or patient)
                if not again or input_ended(self):
                    if not stage.probes(self._member):
                        stage.utterance = Unheard(self._member, tuple(self._frames), now)
                    raise
                logger.info("%s broke, and is opened again: %s", self._member.label, error)
            if not settled:
                await asyncio.sleep(PAUSE)

    def _take_over(self) -> None:
        """Begin with what the recogniser before has not written down."""
        left = self._stage.utterance
        if not isinstance(left, Unheard) or left.by is self._member:
            return
        if not self._stage.probes(self._member) and self._stage.clock() - left.at < _FRESH:
            self._stage.utterance = None
            for frame in left.frames:
                self._keep(frame)

    async def _hear(self) -> None:
        options = APIConnectOptions(max_retry=0, timeout=self._stage.first)
        stream = self._inner.stream(language=self._language, conn_options=options)
        stream.start_time_offset = self.start_time_offset
        for frame in self._frames:
            stream.push_frame(frame)
        hears = self._vad.stream() if self._vad is not None else None
        writing = asyncio.ensure_future(self._write(stream))
        tasks: list[asyncio.Future[None]] = [asyncio.ensure_future(self._forward(stream, hears))]
        if hears is not None:
            tasks.append(asyncio.ensure_future(self._miss(hears)))
        try:
            waiting = {writing, *tasks[1:]}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await writing
        finally:
            for task in (writing, *tasks):
                task.cancel()
            await asyncio.wait({writing, *tasks}, timeout=self._stage.first)
            await self._stage.close(stream.aclose())
            if hears is not None:
                await self._stage.close(hears.aclose())

    async def _write(self, stream: stt.RecognizeStream) -> None:
        async for event in stream:
            if event.alternatives and event.alternatives[0].text:
                self._written.set()
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                self._stage.turn.begins()
                self._frames.clear()
                self._seconds = 0.0
            send(self, event)

    async def _forward(self, stream: stt.RecognizeStream, hears: VADStream | None) -> None:
        async for data in input_of(self):
            if not isinstance(data, rtc.AudioFrame):
                stream.flush()
                continue
            self._keep(data)
            stream.push_frame(data)
            if hears is not None:
                hears.push_frame(data)
        stream.end_input()

    def _keep(self, frame: rtc.AudioFrame) -> None:
        self._frames.append(frame)
        self._seconds += frame.duration
        while self._seconds > _KEPT:
            self._seconds -= self._frames.popleft().duration

    async def _miss(self, hears: VADStream) -> None:
        """Fail where there was speech and no word of it comes, if another can be asked.

        The last one is never given up for this: whether nothing or nothing intelligible was said,
        only the caller knows, and the dead-air timer asks on.
        """
        async for event in hears:
            if event.type is VADEventType.START_OF_SPEECH:
                self._written.clear()
            ended = event.type is VADEventType.END_OF_SPEECH and event.speech_duration >= _SPEECH
            if not ended or self._written.is_set() or not self._stage.has_other(self._member):
                continue
            try:
                await self._stage.within(self._stage.first, self._written.wait())
            except TimeoutError as error:
                text = f"{self._member.label} wrote nothing of {event.speech_duration:.1f} s speech"
                raise APITimeoutError(text) from error

"""A realtime model without a network, which does what a case wants at each utterance."""

from __future__ import annotations

import asyncio
import io
import math
import subprocess
import time
import uuid
import wave
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from livekit import rtc
from livekit.agents import llm, utils

from tests.agents.faults import GREETING

__all__ = ["Behaviour", "RealtimeModel", "RealtimeSession", "Utterances"]

RATE = 24000
Samples = npt.NDArray[np.int16]
Behaviour = Callable[["RealtimeSession", int], Coroutine[Any, Any, None]]
"""What the model does when the caller's n-th utterance is over."""


def spoken(text: str) -> Samples:
    """Return a text as speech of `RATE`."""
    command = ("espeak-ng", "-v", "en-us", "--stdout", "--", text)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    with wave.open(io.BytesIO(done.stdout)) as file:
        rate, raw = file.getframerate(), np.frombuffer(file.readframes(2**28), dtype=np.int16)
    at = np.arange(0, len(raw) - 1, rate / RATE)
    return np.interp(at, np.arange(len(raw)), raw).astype(np.int16)


def frames(samples: Samples, seconds: float = 0.05) -> Iterator[rtc.AudioFrame]:
    step = int(RATE * seconds)
    for begin in range(0, len(samples), step):
        part = samples[begin : begin + step]
        yield rtc.AudioFrame(part.tobytes(), RATE, 1, len(part))


class Utterances:
    """Tells by its energy where the caller's speech begins and ends."""

    LOUD, PAUSE, SHORTEST = 400.0, 0.7, 0.25

    def __init__(self) -> None:
        self.speaking = False
        self.began = 0.0
        self._loud = self._quiet = 0.0

    def push(self, frame: rtc.AudioFrame) -> str:
        """Return `began` or `ended` at the edges of an utterance, else nothing."""
        seconds = frame.samples_per_channel / frame.sample_rate
        wide = np.frombuffer(frame.data, dtype=np.int16).astype(np.float64)
        if len(wide) and math.sqrt((wide**2).mean()) >= self.LOUD:
            self._loud, self._quiet = self._loud + seconds, 0.0
            if self.speaking or self._loud < 0.1:
                return ""
            self.speaking, self.began = True, time.time()
            return "began"
        self._quiet += seconds
        if self._quiet < (self.PAUSE if self.speaking else 0.3):
            return ""
        long_enough = self.speaking and self._loud >= self.SHORTEST
        self.speaking, self._loud = False, 0.0
        return "ended" if long_enough else ""


class RealtimeModel(llm.RealtimeModel):
    """The model.

    Args:
        behave: What it does after each utterance.
        transcribes: Whether it tells what it understood.
        speech_events: Whether it tells when the caller begins and ceases to speak.
        replies_to_tools: Whether it goes on by itself after a tool.
        close_takes: Seconds that closing it takes.
    """

    def __init__(
        self,
        behave: Behaviour,
        *,
        transcribes: bool = True,
        speech_events: bool = False,
        replies_to_tools: bool = True,
        close_takes: float = 0.0,
    ) -> None:
        super().__init__(
            capabilities=llm.RealtimeCapabilities(
                message_truncation=False,
                turn_detection=True,
                user_transcription=transcribes,
                auto_tool_reply_generation=replies_to_tools,
                audio_output=True,
                manual_function_calls=False,
                mutable_chat_context=True,
                mutable_instructions=True,
                mutable_tools=True,
            )
        )
        self.behave = behave
        self.transcribes = transcribes
        self.speech_events = speech_events
        self.close_takes = close_takes

    def session(self, **_: Any) -> RealtimeSession:
        return RealtimeSession(self)

    async def aclose(self) -> None:
        """There is nothing to close."""


class RealtimeSession(llm.RealtimeSession[Any]):
    """A conversation with the model."""

    def __init__(self, model: RealtimeModel) -> None:
        super().__init__(model)
        self._model = model
        self._context = llm.ChatContext.empty()
        self._known_tools = llm.ToolContext.empty()
        self._utterances = Utterances()
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._context

    @property
    def tools(self) -> llm.ToolContext:
        return self._known_tools

    @property
    def began(self) -> float:
        """When the newest utterance began, by the wall clock."""
        return self._utterances.began

    # -- what a case's behaviour calls

    def speak(self, text: str = "", *, tool: str = "", arguments: str = "{}") -> float:
        """Answer with words or a tool call, of which all is there at once; return its seconds."""
        event, seconds = self._generation(text, tool=tool, arguments=arguments)
        self.emit("generation_created", event)
        return seconds

    def transcribe(self, text: str, *, began: float | None = None) -> None:
        """Tell what the caller is understood to have said."""
        self.emit(
            "input_audio_transcription_completed",
            llm.InputTranscriptionCompleted(
                item_id=uuid.uuid4().hex, transcript=text, is_final=True, turn_started_at=began
            ),
        )

    # -- what the framework calls

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        edge = self._utterances.push(frame)
        if edge == "began" and self._model.speech_events:
            self.emit("input_speech_started", llm.InputSpeechStartedEvent())
        if edge != "ended":
            return
        if self._model.speech_events:
            event = llm.InputSpeechStoppedEvent(user_transcription_enabled=self._model.transcribes)
            self.emit("input_speech_stopped", event)
        self._turn += 1
        task = asyncio.create_task(self._model.behave(self, self._turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def generate_reply(self, **_: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(self._generation(GREETING, by_user=True)[0])
        return future

    async def update_instructions(self, instructions: str) -> None:
        """It has no use for them."""

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        self._context = chat_ctx.copy()

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._known_tools = llm.ToolContext(tools)

    def update_options(self, **_: Any) -> None:
        """It has none."""

    def push_video(self, frame: rtc.VideoFrame) -> None:
        """It sees nothing."""

    def commit_audio(self) -> None:
        """It finds the turns itself."""

    def clear_audio(self) -> None:
        """It finds the turns itself."""

    def interrupt(self) -> None:
        """All of an answer is there at once: the framework stops playing it."""

    def truncate(self, **_: Any) -> None:
        """Its context is not changed."""

    async def aclose(self) -> None:
        await asyncio.sleep(self._model.close_takes)
        for task in self._tasks:
            task.cancel()

    def _generation(
        self, text: str, *, tool: str = "", arguments: str = "{}", by_user: bool = False
    ) -> tuple[llm.GenerationCreatedEvent, float]:
        messages: utils.aio.Chan[llm.MessageGeneration] = utils.aio.Chan()
        calls: utils.aio.Chan[llm.FunctionCall] = utils.aio.Chan()
        seconds = 0.0
        if text:
            samples = spoken(text)
            seconds = len(samples) / RATE
            messages.send_nowait(_message(text, samples))
        if tool:
            call = llm.FunctionCall(call_id=uuid.uuid4().hex, name=tool, arguments=arguments)
            calls.send_nowait(call)
        messages.close()
        calls.close()
        event = llm.GenerationCreatedEvent(
            message_stream=messages, function_stream=calls, user_initiated=by_user
        )
        return event, seconds


def _message(text: str, samples: Samples) -> llm.MessageGeneration:
    words: utils.aio.Chan[Any] = utils.aio.Chan()
    audio: utils.aio.Chan[rtc.AudioFrame] = utils.aio.Chan()
    modalities = asyncio.get_running_loop().create_future()
    modalities.set_result(["audio", "text"])
    words.send_nowait(text)
    for frame in frames(samples):
        audio.send_nowait(frame)
    words.close()
    audio.close()
    return llm.MessageGeneration(
        message_id=uuid.uuid4().hex, text_stream=words, audio_stream=audio, modalities=modalities
    )

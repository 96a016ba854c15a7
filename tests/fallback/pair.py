"""Two simulated providers, and the arguments that `onhook.providers` makes of their plugins."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import openai.resources as _loaded  # noqa: F401 - else the first request takes a second to load it
from livekit import rtc
from livekit.agents.llm import ChatContext
from livekit.plugins import openai

import onhook
from onhook.bench.simulator import Simulator
from onhook.bench.simulator.speech import speak

FIRST = "The first one answers."
SECOND = "It is the second that answers."
HEARD_FIRST = "The first has heard."
HEARD_SECOND = "The second has heard."
SENTENCE = "Certainly, a table for two it is, at eight on Friday evening by the window."

DEADLINE = 0.8
BETWEEN = 0.6
DEAD_AIR = 2.2
OWN = 1.0
"""Seconds that the second provider may take on a busy machine."""


class Pair:
    """Two simulators, their plugins, and what was told of them."""

    def __init__(self, first: Simulator, second: Simulator) -> None:
        self.first, self.second = first, second
        self.changes: list[onhook.ProviderChange] = []
        self.errors: list[Any] = []
        self._made: list[Any] = []

    def arguments(self, kind: str, *simulators: Simulator, **more: Any) -> dict[str, Any]:
        plugin = {"stt": openai.STT, "llm": openai.LLM, "tts": openai.TTS}[kind]
        members = []
        for simulator in simulators or (self.first, self.second):
            member = plugin(base_url=simulator.base_url, api_key=simulator.api_key)
            self._made.append(member)
            members.append(member)
        deadlines = onhook.Deadlines(stt=DEADLINE, llm=DEADLINE, tts=DEADLINE, between=BETWEEN)
        how: dict[str, Any] = {kind: members, "on_change": self.changes.append, **more}
        arguments = onhook.providers(dead_air=DEAD_AIR, deadlines=deadlines, **how)
        arguments[kind].on("error", self.errors.append)
        self._made.insert(0, arguments[kind])
        return arguments

    async def aclose(self) -> None:
        for each in self._made:
            await each.aclose()
            client = getattr(each, "_client", None)
            if client is not None:  # the plugin for speech to text leaves its connections open
                await client.close()


async def answer(arguments: dict[str, Any]) -> str:
    context = ChatContext.empty()
    context.add_message(role="user", content="A table, please.")
    options = arguments["conn_options"].llm_conn_options
    collected = await arguments["llm"].chat(chat_ctx=context, conn_options=options).collect()
    return str(collected.text)


async def sound(arguments: dict[str, Any], text: str = SENTENCE) -> rtc.AudioFrame:
    options = arguments["conn_options"].tts_conn_options
    stream = arguments["tts"].synthesize(text, conn_options=options)
    async with stream:
        frames = [audio.frame async for audio in stream]
    return rtc.combine_audio_frames(frames)


async def transcript(arguments: dict[str, Any]) -> str:
    samples = await speak("A table for two.", 16000)
    frame = rtc.AudioFrame(samples.tobytes(), 16000, 1, len(samples))
    options = arguments["conn_options"].stt_conn_options
    event = await arguments["stt"].recognize(frame, conn_options=options)
    return str(event.alternatives[0].text)


async def timed(asking: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    began = time.monotonic()
    result = await asking()
    return result, time.monotonic() - began


def loud_seconds(frame: rtc.AudioFrame) -> float:
    samples = np.abs(np.frombuffer(frame.data, np.int16).astype(np.int32))
    window = frame.sample_rate // 50
    whole = samples[: len(samples) // window * window].reshape(-1, window)
    return float((whole.max(axis=1) > 300).sum()) / 50

"""What every plugin of livekit-agents uses to be one, though no document names it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterable
from typing import Any

from livekit import rtc
from livekit.agents import inference, llm, stt, tts, vad

__all__ = [
    "default_vad",
    "hand_on_history",
    "hand_on_keyterms",
    "input_ended",
    "input_of",
    "send",
    "send_audio",
]


def send(stream: llm.LLMStream | stt.RecognizeStream, event: Any) -> None:
    """Give an event to whoever reads a stream that we make (`_event_ch`).

    Args:
        stream: The stream, from within its `_run`.
        event: A chunk or a speech event.
    """
    stream._event_ch.send_nowait(event)


def send_audio(emitter: tts.AudioEmitter, frame: rtc.AudioFrame) -> None:
    """Give a frame to whoever reads a voice that we make; `push_frame` leaves it as it is.

    Before it came, in 1.8, the emitter cut all audio into frames of its own.

    Args:
        emitter: What the voice's `_run` was given.
        frame: The frame.
    """
    push_frame = getattr(emitter, "push_frame", None)
    if push_frame is not None:
        push_frame(frame)
    else:
        emitter.push(frame.data.tobytes())


def input_of(stream: stt.RecognizeStream) -> AsyncIterable[rtc.AudioFrame | object]:
    """Return what a recogniser's stream is given (`_input_ch`): what is no frame asks to flush.

    Args:
        stream: The stream.
    """
    return stream._input_ch


def default_vad() -> vad.VAD | None:
    """Return the framework's own voice detection, else that of its plugin, else `None`."""
    own = getattr(inference, "VAD", None)
    if own is not None:
        made: vad.VAD = own(model="silero")
        return made
    try:
        plugin: Any = importlib.import_module("livekit.plugins.silero")
        loaded: vad.VAD = plugin.VAD.load()
    except ImportError:
        return None
    return loaded


def input_ended(stream: stt.RecognizeStream) -> bool:
    """Return whether a recogniser's stream is given no more audio.

    Args:
        stream: The stream.
    """
    return stream._input_ch.closed


def hand_on_keyterms(inner: stt.STT[Any], keyterms: list[str]) -> None:
    """Hand words to expect to a recogniser behind ours, as the framework's adapters do.

    Args:
        inner: The recogniser.
        keyterms: The words.
    """
    tell = getattr(inner, "_update_session_keyterms", None)  # older versions have no such words
    if tell is not None:
        tell(keyterms)


def hand_on_history(inner: stt.STT[Any], event: object) -> None:
    """Hand an item of the conversation to a recogniser behind ours, as the adapters do.

    Args:
        inner: The recogniser.
        event: A `ConversationItemAddedEvent`.
    """
    tell = getattr(inner, "_push_conversation_item", None)
    if tell is not None:
        tell(event)

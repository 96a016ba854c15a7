"""The bodies of OpenAI's responses, cut into the chunks in which they are sent.

The shapes are those of platform.openai.com/docs/api-reference: chat/streaming, audio/createSpeech
(`stream_format` "sse" and "audio") and audio/createTranscription.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onhook.bench.simulator.script import ToolCall

__all__ = ["Body", "chat", "error", "speech", "transcription"]

_SSE = "text/event-stream"
_JSON = "application/json"
_AUDIO_CHUNK = 4096
_TYPES = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
}


@dataclass(frozen=True, slots=True)
class Body:
    """What a response carries.

    Args:
        content_type: MIME type.
        chunks: In the order in which they are sent.
        pace: Seconds between two of them.
    """

    content_type: str
    chunks: tuple[bytes, ...]
    pace: float = 0.0


def error(status: int) -> Body:
    """Return the body of an error response."""
    kind, code, message = _TYPES.get(status, ("server_error", None, "The server had an error."))
    return _json({"error": {"message": message, "type": kind, "param": None, "code": code}})


def chat(
    asked: Mapping[str, Any], answer: str | ToolCall | None, *, pace: float, malformed: bool
) -> Body:
    """Return an answer of a model, a chunk a word.

    Args:
        asked: The request.
        answer: The answer; `None` for one without content.
        pace: Seconds between two words.
        malformed: Whether the JSON shall be broken.
    """
    about = {"id": f"chatcmpl-{uuid.uuid4().hex[:12]}", "created": int(time.time())}
    about["model"] = str(asked.get("model", ""))
    if not asked.get("stream"):
        return _whole_chat(about, answer, malformed=malformed)
    if malformed:
        return Body(_SSE, (b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "del\n\n',))

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**about, "object": "chat.completion.chunk", "choices": [choice]})

    chunks = [chunk({"role": "assistant", "content": ""})]
    if isinstance(answer, ToolCall):
        call = {"name": answer.name, "arguments": ""}
        named = {"index": 0, "id": f"call_{uuid.uuid4().hex[:12]}", "type": "function"}
        chunks.append(chunk({"tool_calls": [{**named, "function": call}]}))
        arguments = {"index": 0, "function": {"arguments": answer.json}}
        chunks.append(chunk({"tool_calls": [arguments]}))
    else:
        chunks += [chunk({"content": word}) for word in re.findall(r"\S+\s*", answer or "")]
    chunks.append(chunk({}, "tool_calls" if isinstance(answer, ToolCall) else "stop"))
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append(
            _event(
                {**about, "object": "chat.completion.chunk", "choices": [], "usage": _usage(chunks)}
            )
        )
    return Body(_SSE, (*chunks, b"data: [DONE]\n\n"), pace)


def speech(audio: bytes, content_type: str, *, sse: bool, malformed: bool) -> Body:
    """Return speech, as events or as the bytes of its format.

    Args:
        audio: Encoded speech.
        content_type: MIME type of the format.
        sse: Whether the client asked for events.
        malformed: Whether it shall be unreadable.
    """
    if malformed:
        chunks: tuple[bytes, ...] = (b"data: {broken\n\n",) if sse else (b"<html>gateway</html>",)
        return Body(_SSE if sse else content_type, chunks)
    parts = [audio[at : at + _AUDIO_CHUNK] for at in range(0, len(audio), _AUDIO_CHUNK)]
    if not sse:
        return Body(content_type, tuple(parts))
    deltas = [
        _event({"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()})
        for part in parts
    ]
    usage = {"input_tokens": 1, "output_tokens": len(parts), "total_tokens": 1 + len(parts)}
    return Body(_SSE, (*deltas, _event({"type": "speech.audio.done", "usage": usage})))


def transcription(text: str, *, malformed: bool) -> Body:
    """Return what was understood."""
    return _json({"text": text}, malformed=malformed)


def _whole_chat(
    about: Mapping[str, Any], answer: str | ToolCall | None, *, malformed: bool
) -> Body:
    message: dict[str, Any] = {"role": "assistant", "content": answer}
    if isinstance(answer, ToolCall):
        function = {"name": answer.name, "arguments": answer.json}
        call = {"id": f"call_{uuid.uuid4().hex[:12]}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    finish = "tool_calls" if isinstance(answer, ToolCall) else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole = {**about, "object": "chat.completion", "choices": [choice], "usage": _usage([b""])}
    return _json(whole, malformed=malformed)


def _usage(chunks: list[bytes]) -> dict[str, int]:
    return {
        "prompt_tokens": 1,
        "completion_tokens": len(chunks),
        "total_tokens": 1 + len(chunks),
    }


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _json(data: Mapping[str, Any], *, malformed: bool = False) -> Body:
    text = json.dumps(data).encode()
    return Body(_JSON, (text[: len(text) // 2] if malformed else text,))

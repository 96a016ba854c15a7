"""Frames on the socket: bounded, versioned, and garbage until proven otherwise. Pure.

A frame is its length in four bytes, big-endian, and so many bytes of JSON. A frame of no bytes is
a pulse: the job's loop runs, and there is nothing new.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from onhook.errors import OnhookError
from onhook.watchdog.protocol.fields import FieldError, from_wire, to_wire
from onhook.watchdog.protocol.messages import (
    Answer,
    Ask,
    Beat,
    Bye,
    Climbed,
    Closed,
    Hello,
    Intent,
    Message,
    Opened,
    Welcome,
)

__all__ = ["HEADER", "LIMIT", "PULSE", "VERSION", "Frames", "ProtocolError", "decode", "encode"]

VERSION = 2
"""Part of the socket's name: who speaks another version has another watchdog."""
LIMIT = 64 * 1024
"""Bytes of one frame's JSON."""
HEADER = struct.Struct("!I")
PULSE = HEADER.pack(0)

_KINDS: dict[str, Any] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Hello, Beat, Opened, Intent, Climbed, Closed, Bye),
        *(Welcome, Ask, Answer),
    )
}


class ProtocolError(OnhookError, ValueError):
    """What came from the socket is no message of this protocol."""


def encode(message: Message) -> bytes:
    """Write a message as one frame.

    Args:
        message: The message.

    Raises:
        ProtocolError: It is longer than `LIMIT`.
    """
    kind = type(message).__name__.lower()
    data = {"v": VERSION, "kind": kind, **to_wire(message)}
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    body = text.encode("utf-8", "surrogatepass")
    if len(body) > LIMIT:
        raise ProtocolError(
            f"a message {kind!r} of {len(body)} bytes is too long for the watchdog, which takes "
            f"{LIMIT}: shorten the ladders' texts"
        )
    return HEADER.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """Read the JSON of one frame.

    Args:
        body: The frame without its length.

    Raises:
        ProtocolError: Says what is wrong with it.
    """
    try:
        data = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {str(error)[:200]}") from None
    if not isinstance(data, dict):
        raise ProtocolError(f"no object, but {type(data).__name__}")
    version, kind = data.pop("v", None), data.pop("kind", None)
    if version != VERSION or type(version) is not int:
        raise ProtocolError(f"version {_short(version)}; this onhook speaks {VERSION}")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ProtocolError(f"no such message: {_short(kind)}")
    try:
        message: Message = from_wire(_KINDS[kind], data)
    except FieldError as error:
        raise ProtocolError(f"{kind}: {error}") from error
    return message


class Frames:
    """Puts one connection's bytes together again, keeping no more than one frame of them."""

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def begun(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return bool(self._rest)

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Take in bytes, and yield the JSON of every frame that they complete.

        Raises:
            ProtocolError: A frame says that it is longer than `LIMIT`.
        """
        self._rest += data
        while len(self._rest) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._rest)
            if length > LIMIT:
                raise ProtocolError(f"a frame of {length} bytes; at most {LIMIT} are allowed")
            end = HEADER.size + length
            if len(self._rest) < end:
                return
            body = bytes(self._rest[HEADER.size : end])
            del self._rest[:end]
            yield body


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _short(value: object) -> str:
    return repr(value)[:80]

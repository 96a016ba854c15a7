"""Frames on the socket: bounded, versioned, and garbage until proven otherwise. Pure.

A frame is its length in four bytes, big-endian, and so many bytes of JSON. A frame of no bytes is
a pulse: the job's loop runs, and there is nothing new.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from onhook.errors import OnhookError
from onhook.rescue.event_codec import from_json, to_json
from onhook.watchdog.protocol.messages import Message

__all__ = ["HEADER", "LIMIT", "PULSE", "VERSION", "Frames", "ProtocolError", "decode", "encode"]

VERSION = 6
"""Part of the socket's name: who speaks another version has another watchdog."""
LIMIT = 128 * 1024
"""Bytes of one frame's JSON."""
HEADER = struct.Struct("!I")
PULSE = HEADER.pack(0)


class ProtocolError(OnhookError, ValueError):
    """What came from the socket is no message of this protocol."""


def encode(message: Message) -> bytes:
    """Write a message as one frame.

    Args:
        message: The message.

    Raises:
        ProtocolError: It is longer than `LIMIT`, or holds what cannot travel.
    """
    kind = type(message).__name__.lower()
    try:
        body = _ENCODER.encode(message)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"a message {kind!r} cannot be sent: {str(error)[:300]}") from error
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
        return _DECODER.decode(body)
    except _REFUSED as error:
        raise ProtocolError(f"no message: {str(error)[:300]}") from error


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


_REFUSED = (
    *(msgspec.MsgspecError, OnhookError),
    *(TypeError, ValueError, ArithmeticError, RecursionError),
)
_ENCODER = msgspec.json.Encoder(enc_hook=to_json)
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message, dec_hook=from_json)

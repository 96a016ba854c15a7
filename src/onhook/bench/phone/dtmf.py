"""Digits as telephone events (RFC 4733, section 2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from onhook.bench.phone.phone_errors import CallError
from onhook.bench.phone.rtp import FRAME, FRAME_SECONDS, RtpPacket

__all__ = ["DIGITS", "Digit", "DigitReceiver", "Event", "check_digits", "event_packets"]

DIGITS = "0123456789*#ABCD"
"""Event codes 0 to 15 (RFC 4733, section 3.2)."""

_PAYLOAD = struct.Struct("!BBH")
_VOLUME = 10
"""dBm0 below zero; the usual level of a telephone's keys."""
_END = 0x80
_REPEATS = 3
"""How often the final packet is sent, against loss (section 2.5.1.4)."""


@dataclass(frozen=True, slots=True)
class Event:
    """The payload of one packet of a digit: the digit, its length so far, whether it has ended."""

    digit: str
    duration: int
    end: bool

    def __bytes__(self) -> bytes:
        return _PAYLOAD.pack(
            DIGITS.index(self.digit), (_END if self.end else 0) | _VOLUME, self.duration
        )

    @classmethod
    def parse(cls, payload: bytes) -> Event:
        """Read a payload.

        Raises:
            ValueError: It is too short, or an event that is no digit (a flash, a fax tone).
        """
        if len(payload) < _PAYLOAD.size:
            raise ValueError(f"{len(payload)} bytes are too few for a telephone event")
        code, flags, duration = _PAYLOAD.unpack_from(payload)
        if code >= len(DIGITS):
            raise ValueError(f"telephone event {code} is no digit")
        return cls(DIGITS[code], duration, bool(flags & _END))


@dataclass(frozen=True, slots=True)
class Digit:
    """A digit that was heard.

    Args:
        digit: One of `DIGITS`.
        at: When its first packet arrived, on the monotonic clock.
    """

    digit: str
    at: float


def check_digits(digits: str) -> str:
    """Return the digits in capitals.

    Raises:
        CallError: One of them has no key on a telephone.
    """
    wrong = [d for d in digits.upper() if d not in DIGITS]
    if wrong or not digits:
        raise CallError(f"cannot send the digits {digits!r}: only {DIGITS} have a key")
    return digits.upper()


def event_packets(digit: str, seconds: float) -> Iterator[Event]:
    """Return the payloads of one digit, one for each 20 ms; the last is repeated."""
    ticks = max(2, round(seconds / FRAME_SECONDS))
    for tick in range(1, ticks):
        yield Event(digit, tick * FRAME, end=False)
    for _ in range(_REPEATS):
        yield Event(digit, ticks * FRAME, end=True)


class DigitReceiver:
    """Turns the packets of telephone events into digits, each once."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def push(self, packet: RtpPacket, at: float) -> Digit | None:
        """Return the digit that this packet begins; None for its later packets and for others.

        All packets of one digit share a timestamp (section 2.2), so a lost first packet is no loss.
        """
        try:
            event = Event.parse(packet.payload)
        except ValueError:
            return None
        key = (packet.ssrc, packet.timestamp)
        if key == self._last:
            return None
        self._last = key
        return Digit(event.digit, at)

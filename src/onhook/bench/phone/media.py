"""The audio of one call: RTP out at an even pace, RTP in to the ear (RFC 3550, RFC 3551)."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from onhook.bench.phone.codec import PCMA, PCMU, Samples
from onhook.bench.phone.dtmf import Digit, DigitReceiver, Event, event_packets
from onhook.bench.phone.message import Host
from onhook.bench.phone.packet_timeline import Ear
from onhook.bench.phone.phone_errors import CallError, PhoneError
from onhook.bench.phone.rtp import FRAME, FRAME_SECONDS, RtpPacket, sequence_distance
from onhook.bench.phone.sdp import Agreement
from onhook.bench.phone.sip_transport import resolve

__all__ = ["Media", "Packets"]

_CODECS = {codec.payload_type: codec for codec in (PCMU, PCMA)}
_STALL = 0.5
"""Seconds behind after which lost time is skipped instead of sent as a burst."""
_QUEUE = 64
"""How many pieces of audio, or digits, may wait to be sent."""
_SEEN = 64
_SILENCE: Samples = np.zeros(FRAME, np.int16)


@dataclass(frozen=True, slots=True)
class Packets:
    """How many packets there were.

    Args:
        sent: By us.
        received: By us, without duplicates.
        lost: By the network, as the gaps in the sequence numbers show.
    """

    sent: int = 0
    received: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Piece:
    samples: Samples
    done: asyncio.Future[None]
    position: int = 0


@dataclass(slots=True)
class _Stream:
    """The sequence numbers of the stream that is being received (RFC 3550, appendix A.3)."""

    ssrc: int = -1
    first: int = 0
    highest: int = 0
    received: int = 0
    lost_before: int = 0
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=_SEEN))

    @property
    def lost(self) -> int:
        expected = self.highest - self.first + 1 if self.received else 0
        return self.lost_before + max(0, expected - self.received)

    def is_new(self, packet: RtpPacket) -> bool:
        if packet.ssrc != self.ssrc:
            self.lost_before, self.received = self.lost, 0
            self.ssrc, self.first, self.highest = packet.ssrc, packet.sequence, packet.sequence
            self.seen.clear()
        if packet.sequence in self.seen:
            return False
        self.seen.append(packet.sequence)
        self.received += 1
        self.highest += max(0, sequence_distance(self.highest % 0x10000, packet.sequence))
        return True


class Media(asyncio.DatagramProtocol):
    """Sends and receives the audio of one call.

    Args:
        ear: Hears what comes.

    Attributes:
        on_digit: Takes every digit that comes.
    """

    def __init__(self, ear: Ear) -> None:
        self.ear = ear
        self.local: Host = ("", 0)
        self.on_digit: Callable[[Digit], None] | None = None
        self._digits_in = DigitReceiver()
        self._agreement: Agreement | None = None
        self._target: Host = ("", 0)
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._pieces: deque[_Piece] = deque()
        self._events: deque[tuple[Event, bool]] = deque()
        self._event_timestamp = 0
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(31)
        self._sent = 0
        self._received = 0
        self._stream = _Stream()

    @classmethod
    async def open(cls, host: str, ear: Ear) -> Media:
        """Bind a free port of the local address.

        Raises:
            PhoneError: It is no local address, or every port is in use.
        """
        loop = asyncio.get_running_loop()
        try:
            _, media = await loop.create_datagram_endpoint(lambda: cls(ear), (host, 0))
        except OSError as error:
            raise PhoneError(f"cannot receive audio at {host!r}: {error.strerror}") from error
        return media

    @property
    def packets(self) -> Packets:
        """The packets so far."""
        return Packets(self._sent, self._received, self._stream.lost)

    async def agree(self, agreement: Agreement) -> None:
        """Send as agreed from now on, silence while there is nothing to play."""
        self._target = await resolve((agreement.host, agreement.port))
        self._agreement = agreement
        if self._sender is None and not self._closed.is_set():
            self._sender = asyncio.create_task(self._send(), name="phone-rtp-sender")

    async def play(self, samples: Samples) -> None:
        """Send audio, after what is being sent; returns when the last of it has gone.

        Raises:
            CallError: Too much is waiting, or the call ended before the end.
        """
        if len(self._pieces) >= _QUEUE:
            raise CallError(f"{_QUEUE} pieces of audio wait to be played already: await them first")
        self._check_open()
        piece = _Piece(samples, asyncio.get_running_loop().create_future())
        self._pieces.append(piece)
        try:
            await piece.done
        finally:
            if piece in self._pieces:
                self._pieces.remove(piece)

    async def send_digits(self, digits: str, seconds: float, pause: float) -> None:
        """Send digits; returns when the last has gone.

        Raises:
            CallError: The other side takes no telephone events, or the call has ended.
        """
        self._check_open()
        if self._agreement is None or self._agreement.event_type is None:
            raise CallError("the other side takes no digits: its SDP has no telephone-event")
        for digit in digits:
            events = list(event_packets(digit, seconds))
            self._events.extend((event, index == 0) for index, event in enumerate(events))
            await asyncio.sleep(len(events) * FRAME_SECONDS + pause)
            self._check_open()

    def stop(self) -> None:
        """Send and hear nothing more; safe to repeat."""
        if self._sender is not None:
            self._sender.cancel()
        if self._transport is not None:
            self._transport.close()
        for piece in self._pieces:
            if not piece.done.done():
                piece.done.set_exception(CallError("the call ended before the audio did"))
                piece.done.exception()  # nobody may be waiting any more

    async def aclose(self) -> None:
        """Stop, and wait until everything is closed."""
        self.stop()
        if self._sender is not None:
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._transport is not None:
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.local = transport.get_extra_info("sockname")[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """See `asyncio.DatagramProtocol`; the arrival is stamped here."""
        at = time.monotonic()
        try:
            packet = RtpPacket.parse(data)
        except ValueError:
            return  # RTCP, or a probe
        if not self._stream.is_new(packet):
            return
        self._received += 1
        codec = _CODECS.get(packet.payload_type)
        if codec is not None:
            self.ear.push(at, codec.decode(packet.payload))
        elif self._agreement is not None and packet.payload_type == self._agreement.heard_type:
            digit = self._digits_in.push(packet, at)
            if digit is not None and self.on_digit is not None:
                self.on_digit(digit)

    def _check_open(self) -> None:
        if self._transport is None or self._transport.is_closing():
            raise CallError("the call has ended: nothing can be sent any more")

    async def _send(self) -> None:
        begin = time.monotonic()
        count = 0
        while True:
            self._send_frame()
            count += 1
            late = time.monotonic() - (begin + count * FRAME_SECONDS)
            if late > _STALL:
                missed = math.floor(late / FRAME_SECONDS)
                count += missed
                self._timestamp += missed * FRAME
            await asyncio.sleep(max(0.0, begin + count * FRAME_SECONDS - time.monotonic()))

    def _send_frame(self) -> None:
        agreement, transport = self._agreement, self._transport
        if agreement is None or transport is None:
            return
        if self._events and agreement.event_type is not None:
            event, first = self._events.popleft()
            if first:
                self._event_timestamp = self._timestamp
            kind, stamp, payload, marker = (
                agreement.event_type,
                self._event_timestamp,
                bytes(event),
                first,
            )
        else:
            kind, stamp, marker = agreement.codec.payload_type, self._timestamp, self._sent == 0
            payload = agreement.codec.encode(self._next_samples())
        packet = RtpPacket(kind, self._sequence, stamp % 2**32, self._ssrc, payload, marker)
        self._timestamp += FRAME
        if not agreement.sending or transport.is_closing():
            return
        self._sequence = (self._sequence + 1) % 0x10000
        self._sent += 1
        transport.sendto(bytes(packet), self._target)

    def _next_samples(self) -> Samples:
        if not self._pieces:
            return _SILENCE
        piece = self._pieces[0]
        samples = piece.samples[piece.position : piece.position + FRAME]
        piece.position += FRAME
        if piece.position >= len(piece.samples):
            self._pieces.popleft()
            if not piece.done.done():
                piece.done.set_result(None)
        if len(samples) < FRAME:
            samples = np.concatenate((samples, _SILENCE[len(samples) :]))
        return samples

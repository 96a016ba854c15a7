"""RTP packets (RFC 3550, section 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["FRAME", "FRAME_SECONDS", "RtpPacket", "sequence_distance"]

FRAME = 160
"""Samples in a packet that we send."""

FRAME_SECONDS = 0.02

_HEADER = struct.Struct("!BBHII")
_VERSION = 2
_RTCP = range(192, 224)
"""Second bytes that mark RTCP on a port shared with RTP (RFC 5761, section 4)."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet, without contributing sources or header extensions.

    Args:
        payload_type: 0 to 127.
        sequence: 16 bits.
        timestamp: 32 bits, in samples.
        ssrc: The stream, 32 bits.
        payload: The bytes carried.
        marker: Set on the first packet after silence, or of a telephone event.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def __bytes__(self) -> bytes:
        second = self.marker << 7 | self.payload_type
        return (
            _HEADER.pack(_VERSION << 6, second, self.sequence, self.timestamp, self.ssrc)
            + self.payload
        )

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read a packet; contributing sources, header extension and padding are skipped.

        Raises:
            ValueError: It is no RTP packet: too short, another version, or RTCP.
        """
        if len(data) < _HEADER.size:
            raise ValueError(f"{len(data)} bytes are too few for an RTP packet")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != _VERSION or second in _RTCP:
            raise ValueError(f"no RTP packet: it begins with {data[:2].hex()}")
        begin = _HEADER.size + 4 * (first & 0x0F)
        if first & 0x10:
            if len(data) < begin + 4:
                raise ValueError("the RTP header extension is cut off")
            begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
        end = len(data) - (data[-1] if first & 0x20 else 0)
        if begin > end:
            raise ValueError("the RTP header is longer than the packet")
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[begin:end], bool(second & 0x80))


def sequence_distance(earlier: int, later: int) -> int:
    """Return how far the second sequence number is after the first, across the wrap at 65536."""
    return (later - earlier + 0x8000) % 0x10000 - 0x8000

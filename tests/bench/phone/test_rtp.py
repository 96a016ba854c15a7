from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.bench.phone.rtp import RtpPacket, sequence_distance

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 63),
    sequence=st.integers(0, 2**16 - 1),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
)


@given(packets)
def test_a_packet_is_read_as_it_was_written(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(st.binary(max_size=40))
def test_garbage_is_refused_or_read_but_never_crashes(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        RtpPacket.parse(data)


def test_what_surrounds_the_payload_is_skipped() -> None:
    plain = bytes(RtpPacket(0, 1, 2, 3, b""))
    data = bytes([0x80 | 0x20 | 0x10 | 1]) + plain[1:]
    data += b"CSRC" + b"\xbe\xde\x00\x01" + b"exte" + b"audio" + b"\0\0\3"
    assert RtpPacket.parse(data).payload == b"audio"


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x00" * 12, b"\x80\xc8" + b"\0" * 20])
def test_no_rtp(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"RTP"):
        RtpPacket.parse(data)


def test_sequence_numbers_wrap() -> None:
    assert sequence_distance(65535, 0) == 1
    assert sequence_distance(0, 65535) == -1
    assert sequence_distance(10, 12) == 2

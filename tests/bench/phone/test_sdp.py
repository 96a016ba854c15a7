from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.bench.phone import SdpError
from onhook.bench.phone.codec import PCMA, PCMU
from onhook.bench.phone.sdp import SessionDescription, agree, answer, offer

LIVEKIT = b"""v=0\r
o=- 5 6 IN IP4 127.0.0.1\r
s=LiveKit\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 10000 RTP/AVP 9 0 8 96\r
a=rtpmap:9 G722/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000/1\r
a=rtpmap:96 telephone-event/8000\r
a=fmtp:96 0-16\r
a=ptime:20\r
a=sendrecv\r
m=video 0 RTP/AVP 34\r
c=IN IP4 10.0.0.1\r
"""


def test_an_offer_is_read_as_it_was_written() -> None:
    ours = offer("127.0.0.1", 4000, [PCMA, PCMU])
    assert SessionDescription.parse(bytes(ours)) == ours


def test_only_the_first_audio_stream_counts() -> None:
    theirs = SessionDescription.parse(LIVEKIT)
    assert (theirs.host, theirs.port) == ("127.0.0.1", 10000)
    assert theirs.codecs == (PCMU, PCMA)
    assert theirs.event_type == 96


def test_static_types_need_no_rtpmap() -> None:
    body = b"v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 192.0.2.1\r\nm=audio 8 RTP/AVP 8\r\n"
    assert SessionDescription.parse(body).codecs == (PCMA,)


def test_the_answer_takes_the_first_codec_of_the_offer_that_we_have() -> None:
    theirs = SessionDescription.parse(LIVEKIT)
    ours = answer(theirs, offer("127.0.0.1", 4000, [PCMA]))
    assert ours.codecs == (PCMA,)
    assert ours.event_type == 96
    agreed = agree(ours, theirs)
    assert (agreed.host, agreed.port, agreed.codec) == ("127.0.0.1", 10000, PCMA)
    assert agreed.sending


def test_the_numbers_of_events_may_differ() -> None:
    ours = offer("127.0.0.1", 4000, [PCMU])
    agreed = agree(ours, SessionDescription.parse(LIVEKIT))
    assert (agreed.event_type, agreed.heard_type) == (96, 101)


@pytest.mark.parametrize(
    ("theirs", "ours", "sending"),
    [
        ("sendrecv", "sendrecv", True),
        ("sendonly", "recvonly", False),
        ("recvonly", "sendonly", True),
        ("inactive", "inactive", False),
    ],
)
def test_hold(theirs: str, ours: str, sending: bool) -> None:
    offered = SessionDescription("127.0.0.1", 9, (PCMU,), direction=theirs)
    answered = answer(offered, offer("127.0.0.1", 4000, [PCMU]))
    assert answered.direction == ours
    assert agree(answered, offered).sending is sending


def test_nothing_in_common() -> None:
    theirs = SessionDescription("127.0.0.1", 9, (PCMU,))
    with pytest.raises(SdpError, match=r"none of our codecs \(PCMA\)"):
        answer(theirs, offer("127.0.0.1", 4000, [PCMA]))
    with pytest.raises(SdpError, match="no audio"):
        agree(offer("127.0.0.1", 4000, [PCMA]), theirs)
    with pytest.raises(SdpError, match="port 0"):
        agree(offer("h", 1, [PCMU]), SessionDescription("127.0.0.1", 0, (PCMU,)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=0\r\n",
        b"m=audio x RTP/AVP 0\r\nc=IN IP4 h\r\n",
        b"c=IN\r\n",
        b"\xff\xfe",
        b"c=IN IP4 127.0.0.1\r\nm=video 5 RTP/AVP 34\r\n",
    ],
)
def test_garbled(body: bytes) -> None:
    with pytest.raises(SdpError):
        SessionDescription.parse(body)


@given(st.binary(max_size=80))
def test_garbage_never_crashes(body: bytes) -> None:
    with contextlib.suppress(SdpError):
        SessionDescription.parse(b"c=IN IP4 127.0.0.1\r\nm=audio 4 RTP/AVP 0\r\n" + body)

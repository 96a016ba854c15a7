from __future__ import annotations

import pytest

from onhook.bench.phone import CallError
from onhook.bench.phone.dtmf import DIGITS, DigitReceiver, Event, check_digits, event_packets
from onhook.bench.phone.rtp import RtpPacket


def stream(digits: str, *, drop: int = -1) -> list[RtpPacket]:
    events = [
        (index, event) for index, digit in enumerate(digits) for event in event_packets(digit, 0.1)
    ]
    return [
        RtpPacket(101, number, 1000 * index, 7, bytes(event))
        for number, (index, event) in enumerate(events)
        if number != drop
    ]


@pytest.mark.parametrize("digit", DIGITS)
def test_an_event_is_read_as_it_was_written(digit: str) -> None:
    event = Event(digit, 480, end=True)
    assert Event.parse(bytes(event)) == event


def test_a_digit_grows_and_its_end_is_sent_three_times() -> None:
    events = list(event_packets("5", 0.1))
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3


def test_each_digit_is_heard_once() -> None:
    receiver = DigitReceiver()
    digits = [receiver.push(packet, 1.0) for packet in stream("1199#")]
    assert "".join(digit.digit for digit in digits if digit) == "1199#"


def test_a_lost_first_packet_loses_no_digit() -> None:
    receiver = DigitReceiver()
    digits = [receiver.push(packet, 1.0) for packet in stream("12", drop=0)]
    assert "".join(digit.digit for digit in digits if digit) == "12"


@pytest.mark.parametrize("payload", [b"", b"\x01\x0a", bytes([16, 10, 0, 160])])
def test_what_is_no_digit_is_ignored(payload: bytes) -> None:
    assert DigitReceiver().push(RtpPacket(101, 0, 0, 0, payload), 1.0) is None


def test_keys() -> None:
    assert check_digits("12*#ab") == "12*#AB"
    for wrong in ("", "12x", "1 2"):
        with pytest.raises(CallError, match="have a key"):
            check_digits(wrong)

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Request

from onhook.bench.phone import NumberError, SipError
from onhook.bench.phone.dial_target import address
from onhook.bench.phone.dialog import Dialog
from onhook.bench.phone.message import (
    branch_of,
    check_header,
    contact_uri,
    mark_source,
    parse_message,
    parse_uri,
    reply,
    tag_of,
)

INVITE = b"""INVITE sip:100@127.0.0.1:5060 SIP/2.0\r
v: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bKa,\r
 SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKb\r
Record-Route: <sip:127.0.0.1:7000;lr>, <sip:127.0.0.1:7001;lr>\r
f: "A <b>" <sip:a@127.0.0.1>;tag=1+2~3\r
t: <sip:100@127.0.0.1>\r
i: x@y\r
m: <sip:a@127.0.0.1:6000;transport=UDP>\r
CSeq: 7 INVITE\r
l: 4\r
\r
v=0\r\nand more that belongs to nobody"""


def invite() -> Request:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    return message


def test_short_names_folded_lines_and_a_body_of_the_right_length() -> None:
    message = invite()
    assert branch_of(message) == "z9hG4bKa"
    assert tag_of(message.headers["From"]) == "1+2~3"
    assert tag_of(message.headers["To"]) == ""
    assert message.body == b"v=0\r"
    assert str(contact_uri(message)) == "sip:a@127.0.0.1:6000;transport=UDP"


def test_a_reply_copies_what_it_must() -> None:
    ok = reply(invite(), 200, tag="mine", body=b"v=0")
    assert ok.headers["To"] == "<sip:100@127.0.0.1>;tag=mine"
    assert ok.headers["From"] == '"A <b>" <sip:a@127.0.0.1>;tag=1+2~3'
    assert len(ok.headers.getlist("Record-Route")) == 1
    assert ok.content_length == 3
    assert not reply(invite(), 486).headers.getlist("Record-Route")


def test_the_source_is_noted_when_the_sender_asks_for_it() -> None:
    request = invite()
    via = "SIP/2.0/UDP 10.0.0.1:1;rport;branch=z9hG4bKx, SIP/2.0/UDP h;rport"
    request.headers.setlist("Via", [via, "SIP/2.0/UDP other;rport"])
    mark_source(request, ("127.0.0.1", 6000))
    assert request.headers.getlist("Via") == [
        "SIP/2.0/UDP 10.0.0.1:1;rport=6000;received=127.0.0.1;branch=z9hG4bKx, SIP/2.0/UDP h;rport",
        "SIP/2.0/UDP other;rport",
    ]


def test_a_callee_keeps_the_order_of_the_routes_and_a_caller_turns_it_round() -> None:
    dialog = Dialog.accepted(invite(), "mine", "<sip:me@127.0.0.1:1>", "UDP 127.0.0.1:1")
    bye = dialog.request("BYE")
    assert dialog.destination() == ("127.0.0.1", 7000)
    assert str(bye.uri) == "sip:a@127.0.0.1:6000;transport=UDP"
    assert bye.headers.getlist("Route") == ["<sip:127.0.0.1:7000;lr>", "<sip:127.0.0.1:7001;lr>"]
    assert bye.headers["From"].endswith(";tag=mine")
    assert bye.headers["To"].endswith(";tag=1+2~3")
    caller = Dialog("x@y", "<sip:a@h>;tag=a", "<sip:b@h>", parse_uri("sip:b@h"), "<sip:a@h>", "UDP")
    caller.confirm(reply(invite(), 200, tag="theirs"))
    assert caller.destination() == ("127.0.0.1", 7001)


def test_without_contact_there_is_no_dialog() -> None:
    request = invite()
    request.headers.remove("Contact")
    with pytest.raises(SipError, match="no usable Contact"):
        Dialog.accepted(request, "t", "c", "v")


@pytest.mark.parametrize("line", [b"v: ", b"f: ", b"i: ", b"CSeq: "])
def test_a_message_without_its_header_fields_is_refused(line: bytes) -> None:
    with pytest.raises(SipError, match="cannot read the SIP message"):
        parse_message(INVITE.replace(line, b"Other: "))


@given(st.binary(max_size=200))
def test_garbage_never_crashes(data: bytes) -> None:
    for message in (data, INVITE[:120] + data + INVITE[120:]):
        with contextlib.suppress(SipError):
            parse_message(message)


@pytest.mark.parametrize(
    ("to", "server", "uri", "proxy"),
    [
        ("+15550100", "127.0.0.1:5070", "sip:+15550100@127.0.0.1:5070", ("127.0.0.1", 5070)),
        ("sip:100@example.org", None, "sip:100@example.org", None),
        ("sip:100@example.org", "127.0.0.1:1", "sip:100@example.org", ("127.0.0.1", 1)),
    ],
)
def test_numbers(to: str, server: str | None, uri: str, proxy: tuple[str, int] | None) -> None:
    found, where = address(to, server)
    assert (str(found), where) == (uri, proxy)


@pytest.mark.parametrize(
    ("to", "server", "message"),
    [
        ("100", None, "no server for the number '100'"),
        ("", "127.0.0.1:5060", "is no number"),
        ("1 2", "127.0.0.1:5060", "is no number"),
        ("100", "127.0.0.1", "give HOST:PORT"),
        ("100", "127.0.0.1:0", "give HOST:PORT"),
        ("100", ":5060", "give HOST:PORT"),
        ("100", "h:99999", "give HOST:PORT"),
        ("sip:", None, "no SIP address"),
        ("sip:100@h:70000", None, "cannot dial"),
        ("tel:+1555", None, "cannot dial"),
        ("sips:a@h", None, "cannot dial"),
    ],
)
def test_bad_numbers(to: str, server: str | None, message: str) -> None:
    with pytest.raises(NumberError, match=message):
        address(to, server)


@pytest.mark.parametrize(("name", "value"), [("X-A", "a\r\nB: c"), ("X A", "a"), ("", "a")])
def test_header_fields_cannot_be_smuggled(name: str, value: str) -> None:
    with pytest.raises(SipError, match="cannot send the header field"):
        check_header(name, value)

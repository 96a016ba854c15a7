"""SIP messages: the small things around the `sipmessage` library (RFC 3261, sections 7, 8, 20)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TypeAlias

from sipmessage import URI, Address, Message, Request, Response, Via

from onhook.bench.phone.phone_errors import NumberError, SipError

__all__ = [
    "ALLOW",
    "REASONS",
    "Host",
    "Received",
    "branch_of",
    "check_header",
    "contact_uri",
    "destination_of",
    "mark_source",
    "parse_message",
    "parse_uri",
    "reply",
    "tag_of",
    "token",
]

Host: TypeAlias = tuple[str, int]
"""An address and a port."""

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY, INFO"

REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}
"""The phrases of RFC 3261, section 21, and RFC 3515, that the phone sends."""

_TAG = re.compile(r";\s*tag\s*=\s*([^;,\s]+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9!%*_+`'~.-]+")
_RPORT = re.compile(r";\s*rport\s*(?=[;,]|$)", re.IGNORECASE)
_FOLD = re.compile(rb"\r\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Received:
    """A message, where it came from, and when on the monotonic clock.

    Args:
        message: The request or response.
        source: The peer's address.
        at: When its last byte arrived.
    """

    message: Request | Response
    source: Host
    at: float


def token(size: int = 8) -> str:
    """Return a new random token for a tag, branch or Call-ID (section 19.3)."""
    return secrets.token_hex(size)


def parse_message(data: bytes) -> Request | Response:
    """Read a message; long header fields may be folded (section 7.3.1).

    Raises:
        SipError: It is no SIP message, or lacks a header field that every message has.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    try:
        message = Message.parse(_FOLD.sub(b" ", head) + blank + body)
        for name in ("Via", "From", "To", "Call-ID"):
            message.headers[name]
        message.cseq  # noqa: B018  (raises when it is missing or garbled)
        branch_of(message)
    except (ValueError, KeyError) as error:
        raise SipError(f"cannot read the SIP message {data[:200]!r}: {error}") from error
    length = message.content_length
    if length is not None:
        message.body = message.body[:length]
    return message


def branch_of(message: Request | Response) -> str:
    """Return the branch of the topmost Via, which names the transaction (section 17.1.3)."""
    via = Via.parse_many(message.headers["Via"])[0]
    return via.parameters.get("branch") or ""


def tag_of(value: str) -> str:
    """Return the tag of a From or To field, empty when it has none; never unquoted."""
    found = _TAG.search(value[value.rfind(">") + 1 :])
    return found.group(1) if found else ""


def mark_source(request: Request, source: Host) -> None:
    """Note in the topmost Via where a request really came from (RFC 3581, section 4)."""
    first, *more = request.headers.getlist("Via")
    top, comma, rest = first.partition(",")
    marked = _RPORT.sub(f";rport={source[1]};received={source[0]}", top)
    request.headers.setlist("Via", [f"{marked}{comma}{rest}", *more])


def contact_uri(message: Request | Response) -> URI | None:
    """Return the address that the sender wants further requests at, if it gave one."""
    try:
        value = message.headers["Contact"]
        return Address.parse_many(value)[0].uri
    except (KeyError, IndexError, ValueError):
        return None


def destination_of(uri: URI) -> Host:
    """Return where to send a request for this address."""
    return uri.host, uri.port or 5060


def check_header(name: str, value: str) -> str:
    """Return a value that can stand in a header field.

    Raises:
        SipError: The name is no token, or the value has a line break.
    """
    if not _NAME.fullmatch(name) or not value.isprintable():
        raise SipError(f"cannot send the header field {name!r}: {value!r}")
    return value


def parse_uri(text: str) -> URI:
    """Read a SIP address.

    Raises:
        NumberError: It is none.
    """
    try:
        uri = URI.parse(text)
    except ValueError as error:
        raise NumberError(
            f"{text!r} is no SIP address: give one like 'sip:+15550100@127.0.0.1:5060'"
        ) from error
    if uri.scheme != "sip" or not uri.host or not 0 < (uri.port or 5060) < 65536:
        raise NumberError(f"cannot dial {text!r}: only 'sip:NUMBER@HOST:PORT' can be dialled")
    return uri


def reply(
    request: Request, status: int, *, tag: str = "", reason: str = "", body: bytes = b""
) -> Response:
    """Return a response to a request, with the header fields it must copy (section 8.2.6).

    Args:
        request: What is answered.
        status: The status.
        tag: Our tag, put on To when the request had none there.
        reason: The phrase; that of the RFC without.
        body: A session description.
    """
    response = Response(status, reason or REASONS.get(status, "Unknown"), body)
    response.headers.setlist("Via", list(request.headers.getlist("Via")))
    response.headers.set("From", request.headers["From"])
    to = request.headers["To"]
    response.headers.set("To", f"{to};tag={tag}" if tag and not tag_of(to) else to)
    for name in ("Call-ID", "CSeq"):
        response.headers.set(name, request.headers[name])
    routes = request.headers.getlist("Record-Route")
    if routes and status < 300:
        response.headers.setlist("Record-Route", list(routes))
    response.headers.set("User-Agent", "onhook")
    if body:
        response.headers.set("Content-Type", "application/sdp")
    response.headers.set("Content-Length", str(len(body)))
    return response

"""Whether a SIP service is there, and whether it takes REFER: asked by OPTIONS (RFC 3261, 11)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onhook.doctor.findings import Finding, Kind, Level

__all__ = ["KINDS", "SipAnswer", "judge_carrier", "judge_service", "options", "split_address"]

UNREACHABLE = Kind(
    "sip.unreachable",
    Level.ERROR,
    "the SIP service does not answer",
    "no call comes in: the caller hears nothing, or a message of the carrier's",
    "start livekit-sip; open its port (5060, UDP and TCP) and the range of its RTP ports",
)
CARRIER_SILENT = Kind(
    "carrier.unreachable",
    Level.WARNING,
    "an outbound trunk's carrier does not answer from here",
    "an agent that dials, or a fallback, may reach nobody",
    "some carriers answer to registered addresses alone; else correct the trunk's address",
)
CARRIER_UNKNOWN = Kind(
    "carrier.unknown-host",
    Level.ERROR,
    "the address of an outbound trunk has no host",
    "no call goes out by it: an agent that dials, or a fallback, reaches nobody",
    "correct the trunk's address",
)
NO_REFER = Kind(
    "refer.refused",
    Level.WARNING,
    "the carrier does not take REFER",
    "a `Transfer` is refused: the caller is released, and reaches no colleague",
    "let the carrier allow call transfers (Twilio: Call Transfer, PSTN), or end ladders otherwise",
)

KINDS: Sequence[Kind] = (UNREACHABLE, CARRIER_SILENT, CARRIER_UNKNOWN, NO_REFER)

_PORT = 5060
_REPEATS = (0.5, 1.0, 2.0)
"""Seconds until an unanswered request is sent again (RFC 3261, timer E)."""
_STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ?([^\r\n]*)")
_ALLOW = re.compile(r"(?im)^(?:Allow)\s*:\s*(.*)$")


@dataclass(frozen=True, slots=True)
class SipAnswer:
    """What came of asking.

    Args:
        status: Its SIP status; 0 where none came.
        allow: The methods that it takes; empty where it does not say.
        wrong: What went wrong.
        known: Whether the host has an address.
    """

    status: int = 0
    allow: frozenset[str] = frozenset()
    wrong: str = ""
    known: bool = True


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST[:PORT]`.

    Raises:
        ValueError: It is none.
    """
    given = text.strip().removeprefix("sip:")
    if given.startswith("["):
        host, _, rest = given[1:].partition("]")
        port = rest.removeprefix(":")
    elif given.count(":") == 1:
        host, _, port = given.partition(":")
    else:
        host, port = given, ""
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)) or " " in host:
        raise ValueError(f"{text!r} is no address: give HOST, or HOST:PORT")
    return host, int(port or _PORT)


async def options(host: str, port: int, *, timeout: float) -> SipAnswer:
    """Send OPTIONS by UDP, and return what came of it.

    Args:
        host: A name or an address.
        port: UDP port.
        timeout: Seconds.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            with socket.socket(family, kind, protocol) as udp:
                udp.setblocking(False)
                udp.connect(address)
                return await _asked(udp, host, port)
    except TimeoutError:
        return SipAnswer(wrong=f"no answer within {timeout:g} s")
    except socket.gaierror as error:
        return SipAnswer(wrong=f"{host} has no address ({error.strerror})", known=False)
    except OSError as error:  # port unreachable comes as ECONNREFUSED
        return SipAnswer(wrong=error.strerror or str(error))


async def _asked(udp: socket.socket, host: str, port: int) -> SipAnswer:
    loop = asyncio.get_running_loop()
    request = _request(udp, host, port)
    await loop.sock_sendall(udp, request)
    repeats = iter(_REPEATS)
    while True:
        pause = next(repeats, None)
        try:
            async with asyncio.timeout(pause):
                data = await loop.sock_recv(udp, 65_535)
        except TimeoutError:
            await loop.sock_sendall(udp, request)
            continue
        status = _STATUS.match(data)
        if status is None or status[1].startswith(b"1"):
            continue
        head = data.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
        methods = (
            word.strip().upper() for line in _ALLOW.findall(head) for word in line.split(",")
        )
        return SipAnswer(int(status[1]), frozenset(filter(None, methods)))


def _request(udp: socket.socket, host: str, port: int) -> bytes:
    ours, our_port = udp.getsockname()[:2]
    here = f"{_bracketed(ours)}:{our_port}"
    there = f"{_bracketed(host)}:{port}"
    key = secrets.token_hex(8)
    lines = (
        f"OPTIONS sip:{there} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{key};rport",
        f"From: <sip:onhook-doctor@{here}>;tag={key[:8]}",
        f"To: <sip:{there}>",
        f"Call-ID: {key}@{_bracketed(ours)}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        f"Contact: <sip:onhook-doctor@{here}>",
        "Accept: application/sdp",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def judge_service(address: str, answer: SipAnswer) -> Iterator[Finding]:
    """Judge the SIP service that takes the calls.

    Args:
        address: Where it was asked.
        answer: What came.
    """
    if not answer.status:
        yield UNREACHABLE.found(address, f"{address}: {answer.wrong}")
    elif answer.status >= 500:
        yield UNREACHABLE.found(address, f"{address} answered {answer.status} to OPTIONS")


def judge_carrier(trunk: str, address: str, answer: SipAnswer) -> Iterator[Finding]:
    """Judge the carrier of an outbound trunk.

    Args:
        trunk: The trunk, for people.
        address: Its address.
        answer: What came.
    """
    if not answer.known:
        yield CARRIER_UNKNOWN.found(trunk, f"{trunk}: {answer.wrong}")
    elif not answer.status:
        yield CARRIER_SILENT.found(trunk, f"{trunk} leads to {address}: {answer.wrong}")
    elif answer.allow and "REFER" not in answer.allow:
        methods = ", ".join(sorted(answer.allow))
        yield NO_REFER.found(trunk, f"{trunk}: {address} takes {methods}, and no REFER")

"""Session descriptions for one audio stream: offer and answer (RFC 4566, RFC 3264)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from onhook.bench.phone.codec import PCMA, PCMU, RATE, Codec
from onhook.bench.phone.phone_errors import SdpError

__all__ = ["Agreement", "SessionDescription", "agree", "answer", "offer"]

_EVENT_TYPE = 101
"""The dynamic payload type that we offer for telephone events."""

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MIRROR = {"sendonly": "recvonly", "recvonly": "sendonly"}
"""How a direction looks from the other side (RFC 3264, section 6.1)."""


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """What one side says about its audio.

    Args:
        host: The address that it wants RTP at.
        port: The port; 0 refuses the stream.
        codecs: What it can do, the best first.
        event_type: Its payload type for telephone events, None without.
        direction: `sendrecv`, `sendonly`, `recvonly` or `inactive`, as this side sees it.
        session: The session's id (the second field of `o=`).
        version: Counts its changes (the third field).
    """

    host: str
    port: int
    codecs: tuple[Codec, ...]
    event_type: int | None = None
    direction: str = "sendrecv"
    session: int = 0
    version: int = 1

    def __bytes__(self) -> bytes:
        types = [codec.payload_type for codec in self.codecs]
        lines = [
            "v=0",
            f"o=- {self.session} {self.version} IN IP4 {self.host}",
            "s=onhook",
            f"c=IN IP4 {self.host}",
            "t=0 0",
        ]
        events = [] if self.event_type is None else [self.event_type]
        listed = " ".join(map(str, [*types, *events]))
        lines.append(f"m=audio {self.port} RTP/AVP {listed}")
        lines += [f"a=rtpmap:{codec.payload_type} {codec.name}/{RATE}" for codec in self.codecs]
        if self.event_type is not None:
            lines += [
                f"a=rtpmap:{self.event_type} telephone-event/{RATE}",
                f"a=fmtp:{self.event_type} 0-15",
            ]
        lines += ["a=ptime:20", f"a={self.direction}"]
        return "".join(f"{line}\r\n" for line in lines).encode()

    @classmethod
    def parse(cls, body: bytes) -> SessionDescription:
        """Read a description; only its first audio stream counts.

        Raises:
            SdpError: It has no audio stream, no address, or is garbled.
        """
        try:
            return _parse(body.decode())
        except (ValueError, IndexError) as error:
            if isinstance(error, SdpError):
                raise
            raise SdpError(f"cannot read the SDP {body[:200]!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides agreed to, as this side uses it.

    Args:
        host: Where to send RTP.
        port: The port there.
        codec: What to send.
        event_type: The payload type for telephone events, None when they cannot be sent.
        heard_type: The payload type that theirs come with, which may be another.
        sending: Whether the other side wants to receive.
    """

    host: str
    port: int
    codec: Codec
    event_type: int | None
    heard_type: int | None
    sending: bool


def offer(host: str, port: int, codecs: Sequence[Codec]) -> SessionDescription:
    """Return what a caller offers."""
    return SessionDescription(
        host, port, tuple(codecs), _EVENT_TYPE, session=secrets.randbelow(2**31)
    )


def answer(offered: SessionDescription, ours: SessionDescription) -> SessionDescription:
    """Return the answer to an offer: the first of its codecs that we can do (RFC 3264, section 6).

    Args:
        offered: Their description.
        ours: What we can do; the answer is its next version (section 8).

    Raises:
        SdpError: There is none.
    """
    common = [codec for codec in offered.codecs if codec in ours.codecs]
    if not common or offered.port == 0:
        names = ", ".join(codec.name for codec in ours.codecs)
        raise SdpError(f"the offer has none of our codecs ({names}); allow another with `codecs`")
    return replace(
        ours,
        codecs=(common[0],),
        event_type=offered.event_type,
        direction=_MIRROR.get(offered.direction, offered.direction),
        version=ours.version + 1,
    )


def agree(ours: SessionDescription, theirs: SessionDescription) -> Agreement:
    """Return what the two descriptions have in common.

    Raises:
        SdpError: No codec, or the other side refused the stream.
    """
    common = [codec for codec in theirs.codecs if codec in ours.codecs]
    if not common or theirs.port == 0:
        raise SdpError(f"the other side agreed to no audio: port {theirs.port}, {theirs.codecs!r}")
    events = theirs.event_type if ours.event_type is not None else None
    held = theirs.host == "0.0.0.0"  # the old way to hold (RFC 3264, section 8.4)
    sending = theirs.direction in ("sendrecv", "recvonly") and not held
    return Agreement(theirs.host, theirs.port, common[0], events, ours.event_type, sending)


def _parse(text: str) -> SessionDescription:
    host = ""
    media: list[str] | None = None
    session = version = 0
    direction = "sendrecv"
    names: dict[int, str] = {codec.payload_type: f"{codec.name}/{RATE}" for codec in (PCMU, PCMA)}
    for line in text.splitlines():
        kind, _, value = line.partition("=")
        if kind == "m":
            if media is not None:
                break
            media = value.split() if value.startswith("audio ") else None
        elif kind == "o":
            session, version = (int(number) for number in value.split()[1:3])
        elif kind == "c":
            host = value.split()[2].partition("/")[0]
        elif kind == "a" and value in _DIRECTIONS:
            direction = value
        elif kind == "a" and value.startswith("rtpmap:"):
            number, name = value.removeprefix("rtpmap:").split(maxsplit=1)
            names[int(number)] = name.upper()
    if media is None or not host:
        raise SdpError(f"the session description has no audio stream or no address: {text[:200]!r}")
    listed = [(int(number), names.get(int(number), "")) for number in media[3:]]
    events = [number for number, name in listed if name == f"TELEPHONE-EVENT/{RATE}"]
    codecs = [
        codec
        for number, name in listed
        for codec in (PCMU, PCMA)
        if number == codec.payload_type and name.removesuffix("/1") == f"{codec.name}/{RATE}"
    ]
    port = int(media[1].partition("/")[0])
    return SessionDescription(
        host, port, tuple(codecs), events[0] if events else None, direction, session, version
    )

"""The bodies of webhooks: protobuf's JSON, read as far as somebody here reads it.

`google.protobuf.json_format` reads a body whole and in Python, which is more than half of all that
a webhook costs: a room's ten codecs come with each. msgspec reads the fields below and skips the
others, in a fifth of the time or less. Of protobuf's JSON this is what Go's `protojson` writes:
names in camel case, numbers of 64 bits as text, enums as words, and no `null`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Annotated, Any

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from livekit.protocol.webhook import WebhookEvent

from onhook.sentinel.signals.refusals import Reason, RefusedError

__all__ = ["event_from"]

_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Word = str | int
"""An enum's; a number where the server knows no word for it."""


class _Sent(msgspec.Struct, rename="camel", frozen=True):
    """Fields of a message of livekit-protocol, by the names that they have there."""


class _Permission(_Sent, frozen=True):
    # whether anything is permitted at all is read, too
    can_subscribe: bool = False
    can_publish: bool = False
    can_publish_data: bool = False
    can_publish_sources: list[_Word] = []
    hidden: bool = False
    recorder: bool = False
    can_update_metadata: bool = False
    agent: bool = False
    can_subscribe_metrics: bool = False
    can_manage_agent_session: bool = False


class _Track(_Sent, frozen=True):
    sid: str = ""
    type: _Word = 0
    muted: bool = False


class _Participant(_Sent, frozen=True):
    sid: str = ""
    identity: str = ""
    state: _Word = 0
    tracks: list[_Track] = []
    joined_at: _Number = 0
    joined_at_ms: _Number = 0
    version: _Number = 0
    permission: _Permission | None = None
    kind: _Word = 0
    attributes: dict[str, str] = {}
    disconnect_reason: _Word = 0
    kind_details: list[_Word] = []


class _Room(_Sent, frozen=True):
    sid: str = ""
    name: str = ""
    creation_time: _Number = 0
    creation_time_ms: _Number = 0
    metadata: str = ""


class _Head(_Sent, frozen=True):
    event: str = ""
    id: str = ""
    created_at: _Number = 0


class _Whole(_Head, frozen=True):
    room: _Room | None = None
    participant: _Participant | None = None
    track: _Track | None = None


class _WithJob(msgspec.Struct, frozen=True):
    job: dict[str, Any] | None = None


# lax: a number of 64 bits comes as text
_HEAD = msgspec.json.Decoder(_Head, strict=False)
_WHOLE = msgspec.json.Decoder(_Whole, strict=False)
_JOB = msgspec.json.Decoder(_WithJob)


def event_from(body: bytes, known: Collection[str]) -> WebhookEvent:
    """Return the event of a body, with the fields that are read here.

    Fields and words that this livekit-protocol does not know are a newer server's, and left out.

    Args:
        body: As it came.
        known: Names of events that are read whole; of others only what all events have.

    Raises:
        RefusedError: It is no event of LiveKit's.
    """
    try:
        sent: _Head = _HEAD.decode(body)
        if sent.event in known:  # egress may bring much that nobody here reads
            sent = _WHOLE.decode(body)
        event = WebhookEvent(**_told(WebhookEvent.DESCRIPTOR, sent))
        if sent.event in known and sent.event.startswith("agent_job"):
            whole = {"job": _JOB.decode(body).job}  # rare, and LiveKit Cloud's alone
            ParseDict(whole, event, ignore_unknown_fields=True, max_recursion_depth=20)
    except (msgspec.MsgspecError, ParseError, ValueError, TypeError, RecursionError) as error:
        # the body may hold what a caller said of themselves: not into the log
        raise RefusedError(
            Reason.MALFORMED, f"its body is no event of LiveKit's ({type(error).__name__})"
        ) from error
    return event


def _told(message: Any, sent: _Sent) -> dict[str, Any]:
    """Return what was sent as the arguments of a message's constructor."""
    told: dict[str, Any] = {}
    for name, (words, inner) in _fields(message).items():
        value = getattr(sent, name, None)
        if value is None:
            continue
        if words is not None:
            told[name] = _numbers(words, value)
        elif isinstance(value, _Sent):
            told[name] = _told(inner, value)
        elif isinstance(value, list):
            told[name] = [_told(inner, each) for each in value]
        else:
            told[name] = value
    return told


@cache
def _fields(message: Any) -> Mapping[str, tuple[Mapping[str, int] | None, Any]]:
    """Return a message's fields, each with its enum's words and its inner message."""
    return {
        field.name: (
            field.enum_type
            and {word: value.number for word, value in field.enum_type.values_by_name.items()},
            field.message_type,
        )
        for field in message.fields
    }


def _numbers(words: Mapping[str, int], value: _Word | list[_Word]) -> int | list[int]:
    if isinstance(value, list):
        return [n for each in value if (n := _number(words, each)) is not None]
    return _number(words, value) or 0


def _number(words: Mapping[str, int], word: _Word) -> int | None:
    return word if isinstance(word, int) else words.get(word)

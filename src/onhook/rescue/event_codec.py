"""Events of a rescue as JSON and back, for whoever sends or keeps them: bounded, typed."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from onhook.call import LegKind
from onhook.errors import OnhookError
from onhook.incident import Failure
from onhook.ladder import Ladder
from onhook.redaction import bounded
from onhook.rescue.events import Climbed, Closed, Opened, RescueEvent

__all__ = ["LIMIT", "EventError", "decode", "encode", "from_json", "to_json"]

LIMIT = 64 * 1024
"""Bytes of one event's JSON."""
_LEGS = 50
"""Legs that are kept of a call with so many that its event would be too long."""
_TEXT = 500


class EventError(OnhookError, ValueError):
    """What was kept is no event of a rescue, or an event cannot be kept."""


def encode(event: RescueEvent) -> bytes:
    """Write an event as JSON; of one that is too long, what nobody needs to go on is left out.

    Args:
        event: The event.

    Raises:
        EventError: It is longer than `LIMIT` all the same.
    """
    data = _ENCODER.encode(event)
    if len(data) > LIMIT:
        data = _ENCODER.encode(_shortened(event))
    if len(data) > LIMIT:
        raise EventError(
            f"{event.incident}: an event of {len(data)} bytes cannot be kept, {LIMIT} are allowed: "
            "shorten the ladder's texts"
        )
    return data


def decode(data: bytes) -> RescueEvent:
    """Read what `encode` wrote.

    Args:
        data: The JSON.

    Raises:
        EventError: It is none, or one of another version of onhook.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, OnhookError, TypeError, ValueError, ArithmeticError) as error:
        raise EventError(f"no event of a rescue: {str(error)[:300]}") from error


def to_json(value: Any) -> Any:
    """Return what JSON can hold of a value that msgspec does not know; a hook for an encoder.

    Raises:
        TypeError: It cannot travel.
    """
    if isinstance(value, Ladder):
        return value.to_json()
    if isinstance(value, BaseException):
        return None  # its traceback travels
    raise TypeError(f"{type(value).__name__} cannot travel")


def from_json(kind: type, value: Any) -> Any:
    """Return a value that `to_json` wrote; a hook for a decoder.

    Raises:
        TypeError: Nothing of this kind travels.
        LadderError: It is no ladder.
    """
    if kind is Ladder:
        return Ladder.from_json(value)
    raise TypeError(f"{kind.__name__} cannot travel")


def _shortened(event: RescueEvent) -> RescueEvent:
    match event:
        case Opened():
            failure = msgspec.structs.replace(event, failure=_short_failure(event.failure))
            legs = sorted(event.call.legs, key=lambda leg: leg.kind is not LegKind.CALLER)
            if len(legs) <= _LEGS:
                return failure
            # who was there is not known any more; the next rescuer looks for itself
            call = dataclasses.replace(event.call, legs=tuple(legs[:_LEGS]), complete=False)
            return msgspec.structs.replace(failure, call=call)
        case Climbed():
            report = dataclasses.replace(event.report, detail=bounded(event.report.detail, _TEXT))
            return msgspec.structs.replace(event, report=report)
        case Closed():
            failure_of = None if event.failure is None else _short_failure(event.failure)
            detail = bounded(event.detail, _TEXT)
            return msgspec.structs.replace(event, detail=detail, failure=failure_of)
    return event


def _short_failure(failure: Failure) -> Failure:
    detail = bounded(failure.detail, _TEXT)
    return dataclasses.replace(failure, detail=detail, traceback="", evidence={}, error=None)


_ENCODER = msgspec.json.Encoder(enc_hook=to_json)
_DECODER: msgspec.json.Decoder[RescueEvent] = msgspec.json.Decoder(RescueEvent, dec_hook=from_json)

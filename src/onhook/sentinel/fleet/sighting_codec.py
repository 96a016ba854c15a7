"""Sightings on their way from one sentinel to the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from onhook.errors import OnhookError
from onhook.rescue.event_codec import LIMIT as EVENT_LIMIT
from onhook.rescue.event_codec import from_json, to_json
from onhook.sentinel.sightings import (
    AgentJob,
    HostLease,
    MemberGone,
    MemberSeen,
    RecordMade,
    RescueSeen,
    RoomGone,
    RoomSeen,
    Sighting,
    TrackChanged,
)

__all__ = ["LIMIT", "SightingError", "aged", "decode", "encode"]

LIMIT = 8 * 1024
"""Bytes of one sighting's JSON; what is longer is found by the poll."""
_LONGEST_EVENT = EVENT_LIMIT + 2 * 1024
"""Bytes of an event of a rescue, with the names beside it; there are few of them."""
_KINDS = (
    *(RoomSeen, RoomGone, MemberSeen, MemberGone, TrackChanged, AgentJob, HostLease),
    *(RescueSeen, RecordMade),
)
"""What travels. A list (`RoomsListed`, `MembersListed`) does not: it tells of one moment by the
clock of who asked, and with 20,000 rooms a list every two seconds would be all that Redis does."""


class SightingError(OnhookError, ValueError):
    """A sighting that does not travel, or what came is none."""


def encode(sighting: Sighting) -> tuple[str, bytes]:
    """Return a sighting's kind, and itself as JSON.

    Args:
        sighting: The sighting.

    Raises:
        SightingError: It is of a kind that stays where it is, or too long.
    """
    kind = type(sighting).__name__
    if kind not in _DECODERS:
        raise SightingError(f"a {kind} stays with the sentinel that asked for it")
    body = _ENCODER.encode(sighting)
    limit = _LONGEST_EVENT if kind == RescueSeen.__name__ else LIMIT
    if len(body) > limit:
        raise SightingError(f"a {kind} of {len(body)} bytes is not told, at most {limit} are")
    return kind, body


def decode(kind: str, body: bytes) -> Sighting:
    """Return the sighting that `encode` wrote.

    Args:
        kind: Its kind.
        body: The JSON.

    Raises:
        SightingError: It is none, or one of a newer sentinel.
    """
    if kind not in _DECODERS:
        raise SightingError(f"a sighting of a kind that is not known here: {kind[:40]!r}")
    try:
        sighting: Sighting = _DECODERS[kind].decode(body)
    except (msgspec.MsgspecError, OnhookError, ValueError, TypeError) as error:
        raise SightingError(f"no {kind}: {str(error)[:200]}") from error
    return sighting


def aged(sighting: Sighting, seconds: float) -> Sighting | None:
    """Return what is left of a sighting that was on its way for so long; `None` for nothing.

    Args:
        sighting: As it was told.
        seconds: Since then.
    """
    if not isinstance(sighting, HostLease) or seconds <= 0:
        return sighting
    if sighting.ttl <= seconds:
        return None
    jobs = tuple(
        replace(job, rescue_until=max(0.0, job.rescue_until - seconds)) for job in sighting.jobs
    )
    return replace(sighting, ttl=sighting.ttl - seconds, jobs=jobs)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else to_json(value)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
_DECODERS: Mapping[str, msgspec.json.Decoder[Any]] = {
    kind.__name__: msgspec.json.Decoder(kind, dec_hook=from_json) for kind in _KINDS
}

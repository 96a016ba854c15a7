"""The server's own messages as sightings: the one place that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from livekit.protocol.models import ParticipantInfo, Room

from onhook.livekit.attribute_names import AGENT_NAME
from onhook.livekit.picture import leg_from_listing
from onhook.sentinel.sightings import Member, RoomSeen

__all__ = ["member_from", "members_from", "room_from"]

_KEPT = ("sip.", "lk.agent.", "onhook.", AGENT_NAME, "lk.publish_on_behalf")
"""Beginnings of the attributes that are kept: a participant may carry 64 KiB of others
(livekit-server `config.go`, `MaxAttributesSize`)."""


def member_from(info: ParticipantInfo) -> Member:
    """Return a participant as a listing or a webhook describes them.

    An avatar is an agent here: for whom it speaks is in its attributes.

    Args:
        info: The server's description.
    """
    return Member(
        sid=info.sid,
        leg=leg_from_listing(info),
        version=info.version,
        joined_at=info.joined_at_ms / 1000 if info.joined_at_ms else float(info.joined_at),
        attributes=_attributes(info.attributes),
    )


def members_from(listing: Iterable[ParticipantInfo]) -> tuple[Member, ...]:
    """Return everybody of a listing who is still there.

    Args:
        listing: The participants, hidden ones included.
    """
    gone = ParticipantInfo.State.DISCONNECTED
    return tuple(member_from(info) for info in listing if info.state != gone)


def room_from(room: Room, *, counted: bool) -> RoomSeen:
    """Return a room as a listing or a webhook describes it.

    Args:
        room: The server's description.
        counted: Whether its number of participants is one of now. That of a webhook is not: it
            may come late or after a newer one, and bears no version.
    """
    created = room.creation_time_ms / 1000 if room.creation_time_ms else float(room.creation_time)
    return RoomSeen(
        room=room.name,
        sid=room.sid,
        created_at=created,
        members=room.num_participants if counted else None,
        metadata=room.metadata,
        publishers=room.num_publishers if counted else None,
    )


def _attributes(attributes: Mapping[str, str]) -> Mapping[str, str]:
    kept = {name: value for name, value in attributes.items() if name.startswith(_KEPT)}
    return MappingProxyType(kept)

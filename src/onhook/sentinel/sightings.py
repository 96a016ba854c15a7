"""What a sentinel learns of calls, from whatever source: each fact in one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from onhook.call import Leg
from onhook.rescue.events import RescueEvent
from onhook.sentinel.records.call_record import CallRecord
from onhook.watchdog.protocol.sentinel_messages import HostLease, LeasedJob

__all__ = [
    "AgentJob",
    "HostLease",
    "LeasedJob",
    "Member",
    "MemberGone",
    "MemberSeen",
    "MembersListed",
    "RecordMade",
    "RescueSeen",
    "RoomGone",
    "RoomSeen",
    "RoomsListed",
    "Sighting",
    "TrackChanged",
]


@dataclass(frozen=True, slots=True)
class Member:
    """One participant as the server describes it.

    Args:
        sid: The server's id of this stay (`PA_...`); who comes back gets another.
        leg: Who this is, and how they are there.
        version: Grows with each change of this stay (livekit-protocol `ParticipantInfo.version`):
            of two descriptions the greater one is the newer, in whatever order they come.
        joined_at: When, in seconds since 1970 by the server's clock; 0 where it was not told.
        attributes: Those whose names begin with `sip.`, `lk.agent.` or `onhook.`, and
            `lk.publish_on_behalf`: for whom an avatar speaks.
    """

    sid: str
    leg: Leg
    version: int = 0
    joined_at: float = 0.0
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """A room exists.

    Args:
        room: Room name.
        sid: The server's id of this life of it (`RM_...`).
        created_at: When, in seconds since 1970 by the server's clock.
        members: How many participants the server counts; `None` where that was not told. It counts
            no agents, and is up to 5 s late (livekit-server `rtc/room.go`, `updateProto`).
        metadata: The room's metadata.
        publishers: How many participants have published something, agents too; `None` likewise.
    """

    room: str
    sid: str
    created_at: float = 0.0
    members: int | None = None
    metadata: str = ""
    publishers: int | None = None


@dataclass(frozen=True, slots=True)
class RoomGone:
    """A life of a room has ended; its name may be used again with another sid."""

    room: str
    sid: str


@dataclass(frozen=True, slots=True)
class RoomsListed:
    """All rooms there are, as listed; a room that is missing from two lists in a row is gone.

    Args:
        asked: When the question was sent, in seconds of the sentinel's monotonic clock: a room
            first seen after that may be missing without being gone.
        rooms: The rooms.
    """

    asked: float
    rooms: tuple[RoomSeen, ...]


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """A participant is in a room, or has changed."""

    room: str
    room_sid: str
    member: Member


@dataclass(frozen=True, slots=True)
class MemberGone:
    """A stay of a participant has ended.

    Args:
        room: Room name.
        room_sid: The server's id of the room; empty where it was not told.
        sid: The server's id of the stay.
        identity: The participant's identity.
        reason: The server's word for why, such as `CLIENT_INITIATED`; empty where none was given.
        member: As the server described them at their end; `None` where it did not.
    """

    room: str
    room_sid: str
    sid: str
    identity: str = ""
    reason: str = ""
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class MembersListed:
    """Everybody in a room, hidden participants included, as listed.

    Args:
        room: Room name.
        asked: When the question was sent, in seconds of the sentinel's monotonic clock.
        members: The participants; nobody where the room does not exist.
    """

    room: str
    asked: float
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class TrackChanged:
    """A participant has published a track, or withdrawn one.

    That is all that this webhook tells: not of what kind the participant is, nor a version
    (livekit-server `telemetry/events.go`), so it is no `MemberSeen`.

    Args:
        room: Room name.
        room_sid: The server's id of the room.
        sid: The server's id of the participant's stay.
        identity: The participant's identity.
        track: The server's id of the track.
        audible: Whether the track is one of sound, and not muted.
        published: Whether it was published; else it was withdrawn.
    """

    room: str
    room_sid: str
    sid: str
    identity: str
    track: str
    audible: bool
    published: bool


@dataclass(frozen=True, slots=True)
class AgentJob:
    """What the server tells of an agent's job (Cloud's `agent_job_*` webhooks); a fast hint.

    Args:
        room: Room name.
        job: LiveKit job id.
        agent_name: The name under which the worker is registered.
        state: `pending`, `started` or `ended`.
        reason: `JobState.reason`, such as `NO_CAPACITY` or `RETRYING`; empty where none was given.
    """

    room: str
    job: str
    agent_name: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RescueSeen:
    """Something has happened in a rescue, of whichever ring.

    Args:
        room: Room name.
        host: Id of the watchdog that has told it; empty for a sentinel's own.
        event: What.
    """

    room: str
    host: str
    event: RescueEvent


@dataclass(frozen=True, slots=True)
class RecordMade:
    """A call has ended, and a sentinel has made its record: the others keep it too."""

    record: CallRecord


Sighting: TypeAlias = (
    RoomSeen
    | RoomGone
    | RoomsListed
    | MemberSeen
    | MemberGone
    | MembersListed
    | TrackChanged
    | AgentJob
    | HostLease
    | RescueSeen
    | RecordMade
)

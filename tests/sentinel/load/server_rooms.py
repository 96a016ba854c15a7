"""Rooms and participants as a LiveKit server keeps them, by the thousands."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping

from livekit import rtc
from livekit.protocol.models import (
    Codec,
    DisconnectReason,
    ParticipantInfo,
    ParticipantPermission,
    Room,
    TrackInfo,
    TrackSource,
    TrackType,
)
from livekit.protocol.room import ListRoomsResponse
from livekit.protocol.webhook import WebhookEvent

from onhook.livekit.attribute_names import AGENT_NAME

__all__ = ["COUNT_LAG", "ServerRooms"]

COUNT_LAG = 5.0
"""Seconds after which the counts of a room are brought up to date (livekit-server `rtc/room.go`,
`roomUpdateInterval`)."""
_CODECS = (
    *("audio/opus", "audio/red", "audio/PCMU", "audio/PCMA"),
    *("video/VP8", "video/H264", "video/VP9", "video/AV1", "video/H265", "video/rtx"),
)
SIP = int(rtc.ParticipantKind.PARTICIPANT_KIND_SIP)
AGENT = int(rtc.ParticipantKind.PARTICIPANT_KIND_AGENT)
_AGENT_NAME = "front-desk"


class _Room:
    """One room, with its place in a list of rooms as bytes: a list is then one `join`."""

    __slots__ = ("counted_at", "dirty", "info", "listed", "people")

    def __init__(self, info: Room) -> None:
        self.info = info
        self.people: dict[str, ParticipantInfo] = {}
        self.counted_at = float("-inf")
        self.dirty = False
        self.listed = b""

    def is_due(self, now: float) -> bool:
        return now - self.counted_at >= COUNT_LAG


class ServerRooms:
    """Holds rooms; each change is told as livekit-server's webhooks tell it.

    Args:
        told: Takes the webhook of each change.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        told: Callable[[WebhookEvent], None] = lambda event: None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.told = told
        self._clock = clock
        self._rooms: dict[str, _Room] = {}
        self._fresh: dict[str, None] = {}
        """Rooms whose counts are to be brought up to date."""
        self._ids = itertools.count(1)

    def __len__(self) -> int:
        return len(self._rooms)

    def __contains__(self, room: str) -> bool:
        return room in self._rooms

    def caller(
        self, room: str, *, answered: bool, number: int = 0, attributes: Mapping[str, str] = {}
    ) -> ParticipantInfo:
        """Let a phone's call come in by a trunk; its leg publishes while it rings, too."""
        told = {
            "sip.callID": f"SCL_{next(self._ids):012d}",
            "sip.callIDFull": f"{next(self._ids):024x}@198.51.100.7",
            "sip.callStatus": "active" if answered else "ringing",
            "sip.callTag": f"{next(self._ids):016x}",
            "sip.hostname": "198.51.100.7",
            "sip.phoneNumber": f"+1555{number:07d}",
            "sip.ruleID": "SDR_front_desk",
            "sip.trunkID": "ST_carrier",
            "sip.trunkPhoneNumber": "+15550199",
            **attributes,
        }
        return self._joined(room, f"sip_+1555{number:07d}", SIP, told, voice=True)

    def callee(self, room: str, identity: str, *, answered: bool) -> ParticipantInfo:
        """Dial a phone out of a room."""
        told = {
            "sip.callID": f"SCL_{next(self._ids):012d}",
            "sip.callStatus": "active" if answered else "ringing",
            "sip.phoneNumber": "+15550111",
            "sip.trunkID": "ST_out",
        }
        return self._joined(room, identity, SIP, told, voice=True)

    def agent(self, room: str, *, voice: bool = True, **attributes: str) -> ParticipantInfo:
        """Let an agent come, as its worker's job."""
        told = {AGENT_NAME: _AGENT_NAME, "lk.agent.state": "listening", **attributes}
        return self._joined(room, f"agent-AJ_{next(self._ids):012d}", AGENT, told, voice=voice)

    def answer(self, room: str, identity: str) -> None:
        """Let a phone be picked up: no webhook tells of it."""
        who = self._rooms[room].people[identity]
        who.attributes["sip.callStatus"] = "active"
        who.version += 1

    def publish(self, room: str, identity: str) -> None:
        """Let somebody publish their voice."""
        here = self._rooms[room]
        who = here.people[identity]
        track = TrackInfo(
            sid=f"TR_{next(self._ids):012d}",
            type=TrackType.AUDIO,
            source=TrackSource.MICROPHONE,
            name="roomio_audio",
            mime_type="audio/opus",
        )
        who.tracks.append(track)
        who.is_publisher = True
        who.version += 1
        self._changed(here)
        self._tell("track_published", here, who, track)

    def leave(self, room: str, identity: str, reason: str = "CLIENT_INITIATED") -> None:
        """Let somebody go."""
        here = self._rooms[room]
        who = here.people.pop(identity)
        who.state = ParticipantInfo.State.DISCONNECTED
        who.disconnect_reason = DisconnectReason.Value(reason)  # type: ignore[assignment]
        self._changed(here)
        self._tell("participant_left", here, who)

    def close(self, room: str) -> None:
        """End a room with everybody in it."""
        here = self._rooms[room]
        for identity in tuple(here.people):
            self.leave(room, identity, "ROOM_DELETED")
        del self._rooms[room]
        self._fresh.pop(room, None)
        self._tell("room_finished", here)

    def people(self, room: str) -> list[ParticipantInfo]:
        """Return who is in a room; nobody where there is no such room."""
        here = self._rooms.get(room)
        return [] if here is None else list(here.people.values())

    def listed(self) -> bytes:
        """Return all rooms as a `ListRoomsResponse`, with counts that lag behind."""
        now = self._clock()
        for name in [n for n in self._fresh if self._rooms[n].is_due(now)]:
            del self._fresh[name]
            self._count(self._rooms[name], now)
        return b"".join(here.listed for here in self._rooms.values())

    def identity(self, room: str, kind: int) -> str:
        """Return the first participant of a kind."""
        return next(p.identity for p in self._rooms[room].people.values() if int(p.kind) == kind)

    def _joined(
        self, room: str, identity: str, kind: int, attributes: Mapping[str, str], *, voice: bool
    ) -> ParticipantInfo:
        now = self._clock()
        here = self._rooms.get(room) or self._begun(room, now)
        who = ParticipantInfo(
            sid=f"PA_{next(self._ids):012d}",
            identity=identity,
            state=ParticipantInfo.State.ACTIVE,
            joined_at=int(now),
            joined_at_ms=int(now * 1000),
            version=2,
            kind=kind,  # type: ignore[arg-type]
            attributes=attributes,
            permission=ParticipantPermission(
                can_subscribe=True, can_publish=True, can_publish_data=True, agent=kind == AGENT
            ),
        )
        here.people[identity] = who
        self._changed(here)
        self._tell("participant_joined", here, who)
        if voice:
            self.publish(room, identity)
        return who

    def _begun(self, room: str, now: float) -> _Room:
        info = Room(
            sid=f"RM_{next(self._ids):012d}",
            name=room,
            empty_timeout=300,
            departure_timeout=20,
            creation_time=int(now),
            creation_time_ms=int(now * 1000),
            turn_password=f"{next(self._ids):036d}",
            enabled_codecs=[Codec(mime=mime) for mime in _CODECS],
        )
        here = self._rooms[room] = _Room(info)
        self._count(here, now)
        self._tell("room_started", here)
        return here

    def _changed(self, here: _Room) -> None:
        self._fresh[here.info.name] = None

    def _count(self, here: _Room, now: float) -> None:
        """Count as livekit-server does: agents are in no count, and are publishers."""
        here.counted_at = now
        people = here.people.values()
        here.info.num_participants = sum(int(p.kind) != AGENT for p in people)
        here.info.num_publishers = sum(p.is_publisher for p in people)
        # a field of a repeated message is its tag, its length and its bytes: lists are joined
        here.listed = ListRoomsResponse(rooms=[here.info]).SerializeToString()

    def _tell(
        self,
        event: str,
        here: _Room,
        who: ParticipantInfo | None = None,
        track: TrackInfo | None = None,
    ) -> None:
        if event.startswith("track"):  # it has the participant's sid and identity alone
            who = None if who is None else ParticipantInfo(sid=who.sid, identity=who.identity)
        self.told(
            WebhookEvent(
                event=event,
                id=f"EV_{next(self._ids):012d}",
                created_at=int(self._clock()),
                room=here.info,
                participant=who,
                track=track,
            )
        )

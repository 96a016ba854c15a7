"""A server with rooms, as far as a sentinel sees it: what it tells, lists and answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from onhook.call import Leg, LegKind, LineState
from onhook.livekit.attribute_names import AGENT_NAME
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.sightings import (
    Member,
    MemberGone,
    MemberSeen,
    RoomGone,
    RoomSeen,
    Sighting,
    TrackChanged,
)

EPOCH = 1_700_000_000.0
"""The server's clock is that much ahead of the sentinel's."""
COUNT_LAG = 5.0
INBOUND = {
    "sip.trunkID": "ST_in",
    "sip.ruleID": "SDR_1",
    "sip.phoneNumber": "+15550100",
    "sip.trunkPhoneNumber": "+15550199",
}
OUTBOUND = {"sip.trunkID": "ST_out", "sip.phoneNumber": "+15550111"}
SCANNER = {"sip.ruleID": "SDR_1", "sip.phoneNumber": "100"}

_ids = itertools.count(1)


@dataclass
class Room:
    sid: str
    created: float
    members: dict[str, Member] = field(default_factory=dict)
    count: int = 0
    published: set[str] = field(default_factory=set)
    publishers: int = 0
    counted_at: float = 0.0


class World:
    """Rooms and who is in them. `events` are the webhooks, with the time of each.

    Args:
        tells_changes: Whether a webhook tells of every change too, which LiveKit's do not yet.
    """

    def __init__(self, *, tells_changes: bool = False) -> None:
        self._tells_changes = tells_changes
        self.now = 0.0
        self.rooms: dict[str, Room] = {}
        self.events: list[tuple[float, Sighting]] = []
        self.life: dict[str, ProbeResult] = {}
        """What agents do with questions, by the id of their stay; else they answer."""

    def join(
        self,
        room: str,
        identity: str,
        kind: LegKind = LegKind.CALLER,
        line: LineState = LineState.UNKNOWN,
        *,
        audible: bool = False,
        may_speak: bool = True,
        **attributes: str,
    ) -> str:
        """Return the id of the stay."""
        if room not in self.rooms:
            self.rooms[room] = Room(f"RM_{next(_ids)}", self.now)
            self._tell(self._seen(room))
        phone = kind is LegKind.CALLER
        leg = Leg(identity, kind, line, audible, f"SCL_{next(_ids)}" if phone else "", may_speak)
        told = {name.replace("__", "."): value for name, value in attributes.items()}
        member = Member(f"PA_{next(_ids)}", leg, 1, EPOCH + self.now, told)
        here = self.rooms[room]
        twin = here.members.get(identity)
        here.members[identity] = member
        if audible:
            here.published.add(member.sid)
        if twin is not None:
            self._tell(MemberGone(room, here.sid, twin.sid, identity, "DUPLICATE_IDENTITY"))
        self._tell(self._seen(room))
        self._tell(MemberSeen(room, here.sid, member))
        return member.sid

    def caller(
        self,
        room: str,
        line: LineState = LineState.RINGING,
        identity: str = "sip_+15550100",
        attributes: dict[str, str] | None = None,
    ) -> str:
        told = INBOUND if attributes is None else attributes
        dotted: dict[str, Any] = {name.replace(".", "__"): value for name, value in told.items()}
        return self.join(room, identity, LegKind.CALLER, line, **dotted)

    def agent(self, room: str, identity: str = "agent-1", **attributes: str) -> str:
        named: dict[str, Any] = {AGENT_NAME.replace(".", "__"): "front-desk", **attributes}
        return self.join(room, identity, LegKind.AGENT, may_speak=False, **named)

    def human(self, room: str, identity: str = "ann", *, may_speak: bool = True) -> str:
        return self.join(room, identity, LegKind.HUMAN, may_speak=may_speak)

    def change(
        self,
        room: str,
        identity: str,
        line: LineState | None = None,
        *,
        audible: bool | None = None,
        **attributes: str,
    ) -> None:
        """No webhook tells of a line or an attribute; one tells of a published track."""
        here = self.rooms[room]
        member = here.members[identity]
        leg = member.leg
        leg = leg if line is None else replace(leg, line=line)
        if audible is not None:
            leg = replace(leg, audible=audible)
            here.published.add(member.sid)
            track = f"TR_{next(_ids)}"
            told = TrackChanged(room, here.sid, member.sid, identity, track, True, audible)
            self._tell(told)
        more = {name.replace("__", "."): value for name, value in attributes.items()}
        here.members[identity] = replace(
            member,
            leg=leg,
            version=member.version + 1,
            attributes={**member.attributes, **more},
        )
        if self._tells_changes:
            self._tell(MemberSeen(room, here.sid, here.members[identity]))

    def answer(self, room: str, identity: str = "sip_+15550100") -> None:
        self.change(room, identity, LineState.ACTIVE, audible=True)

    def leave(self, room: str, identity: str, reason: str = "CLIENT_INITIATED") -> None:
        here = self.rooms.get(room)
        member = None if here is None else here.members.pop(identity, None)
        if here is not None and member is not None:
            self._tell(MemberGone(room, here.sid, member.sid, identity, reason))

    def close(self, room: str) -> None:
        here = self.rooms.get(room)
        if here is None:
            return
        for identity in list(here.members):
            self.leave(room, identity, "ROOM_DELETED")
        del self.rooms[room]
        self._tell(RoomGone(room, here.sid))

    def listed_rooms(self) -> tuple[RoomSeen, ...]:
        for here in self.rooms.values():
            if self.now - here.counted_at >= COUNT_LAG or not here.count:
                agents = (m.leg.kind is LegKind.AGENT for m in here.members.values())
                here.count = len(here.members) - sum(agents)
                here.publishers = sum(m.sid in here.published for m in here.members.values())
                here.counted_at = self.now
        return tuple(
            replace(self._seen(name), members=here.count, publishers=here.publishers)
            for name, here in self.rooms.items()
        )

    def listed_members(self, room: str) -> tuple[Member, ...]:
        here = self.rooms.get(room)
        return () if here is None else tuple(here.members.values())

    def ask(self, sid: str) -> ProbeResult:
        there = any(m.sid == sid for m in self._members())
        return self.life.get(sid, ProbeResult.ANSWERED) if there else ProbeResult.ABSENT

    def _members(self) -> Iterator[Member]:
        for here in self.rooms.values():
            yield from here.members.values()

    def _seen(self, room: str) -> RoomSeen:
        here = self.rooms[room]
        return RoomSeen(room, here.sid, EPOCH + here.created)

    def _tell(self, sighting: Sighting) -> None:
        self.events.append((self.now, sighting))

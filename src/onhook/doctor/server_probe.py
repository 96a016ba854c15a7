"""Asks the server everything that can be asked without changing anything."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from livekit import api
from livekit.protocol.agent_dispatch import ListAgentDispatchRequest, ListAgentDispatchResponse
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import (
    DeleteRoomRequest,
    DeleteRoomResponse,
    ListParticipantsRequest,
    ListParticipantsResponse,
    ListRoomsRequest,
    ListRoomsResponse,
)
from livekit.protocol.sip import (
    CreateSIPParticipantRequest,
    ListSIPDispatchRuleRequest,
    ListSIPDispatchRuleResponse,
    ListSIPInboundTrunkRequest,
    ListSIPInboundTrunkResponse,
    ListSIPOutboundTrunkRequest,
    ListSIPOutboundTrunkResponse,
    SIPParticipantInfo,
)

from onhook.call import LegKind
from onhook.doctor.api_probe import Answer, ApiProbe, Outcome
from onhook.doctor.server import Grant
from onhook.doctor.workers import Waiting
from onhook.livekit.picture import leg_from_listing

__all__ = ["Routes", "first_answer", "grants", "routes", "waiting_calls"]

_MOST_ROOMS = 20
"""Rooms whose dispatches are asked for, the newest ones."""
_AT_ONCE = 4
_CALL_BEGINS = 8.0
"""Seconds for which a call may wait for its agent without being looked at."""


@dataclass(frozen=True, slots=True)
class Routes:
    """What the server tells of trunks and rules; `None` where it could not be asked."""

    inbound: Answer[ListSIPInboundTrunkResponse]
    outbound: Answer[ListSIPOutboundTrunkResponse]
    rules: Answer[ListSIPDispatchRuleResponse]

    @property
    def grants(self) -> Sequence[Grant]:
        """The grant by which they were asked for."""
        purpose = "list trunks and rules, nor tell its own numbers from a fallback's"
        worst = next((a for a in self._all if a.outcome is not Outcome.DONE), self.inbound)
        return (Grant("sip.admin", purpose, worst),)

    @property
    def known(self) -> bool:
        """Whether all of them were told."""
        return all(answer.message is not None for answer in self._all)

    @property
    def numbers(self) -> frozenset[str]:
        """Every number of a trunk or a rule."""
        listed = (*self.trunks_in, *self.trunks_out)
        found = {number for trunk in listed for number in trunk.numbers}
        for trunk in self.trunks_in:
            found.update(trunk.allowed_numbers)
        for rule in self.rules_listed:
            found.update((*rule.numbers, *rule.inbound_numbers))
        return frozenset(found)

    @property
    def trunks_in(self) -> Sequence[Any]:
        """Trunks of calls that come in."""
        return self.inbound.message.items if self.inbound.message is not None else ()

    @property
    def trunks_out(self) -> Sequence[Any]:
        """Trunks of calls that go out."""
        return self.outbound.message.items if self.outbound.message is not None else ()

    @property
    def rules_listed(self) -> Sequence[Any]:
        """Dispatch rules."""
        return self.rules.message.items if self.rules.message is not None else ()

    @property
    def _all(self) -> Sequence[Answer[Any]]:
        return (self.inbound, self.outbound, self.rules)


async def first_answer(probe: ApiProbe) -> Answer[ListRoomsResponse]:
    """Ask for a room that is none: whether the server is there, and believes the key.

    Args:
        probe: Sends it.
    """
    return await probe.ask(
        "RoomService/ListRooms",
        ListRoomsRequest(names=[_no_room()]),
        ListRoomsResponse,
        video=api.VideoGrants(room_list=True),
    )


async def grants(probe: ApiProbe, claims: Mapping[str, Any]) -> Sequence[Grant]:
    """Ask for what is allowed: each request is about a room that does not exist.

    Args:
        probe: Sends them.
        claims: What a token of the environment says; nothing for key and secret.
    """
    video = claims.get("video")
    room = str(video.get("room") or "") if isinstance(video, dict) else ""
    room = room or _no_room()
    create = DeleteRoomRequest(room=_no_room())
    answers: Sequence[Answer[Any]] = await asyncio.gather(
        probe.ask(
            "RoomService/ListParticipants",
            ListParticipantsRequest(room=room),
            ListParticipantsResponse,
            video=api.VideoGrants(room_admin=True, room=room),
        ),
        probe.ask(
            "RoomService/DeleteRoom",
            create,
            DeleteRoomResponse,
            video=api.VideoGrants(room_create=True),
        ),
        # refused as incomplete, after the grant was looked at (livekit-server `service/sip.go`)
        probe.ask(
            "SIP/CreateSIPParticipant",
            CreateSIPParticipantRequest(),
            SIPParticipantInfo,
            sip=api.SIPGrants(call=True),
        ),
    )
    told = (
        ("roomAdmin", "see who is on a call, remove a caller, send another agent or ask one"),
        ("roomCreate", "release a line by deleting its room"),
        ("sip.call", "transfer a caller to a colleague, or dial"),
    )
    return tuple(
        Grant(name, purpose, answer) for (name, purpose), answer in zip(told, answers, strict=True)
    )


async def routes(probe: ApiProbe) -> Routes:
    """Ask for trunks and rules.

    Args:
        probe: Sends the requests.
    """
    admin = api.SIPGrants(admin=True)
    inbound, outbound, rules = await asyncio.gather(
        probe.ask(
            "SIP/ListSIPInboundTrunk",
            ListSIPInboundTrunkRequest(),
            ListSIPInboundTrunkResponse,
            sip=admin,
        ),
        probe.ask(
            "SIP/ListSIPOutboundTrunk",
            ListSIPOutboundTrunkRequest(),
            ListSIPOutboundTrunkResponse,
            sip=admin,
        ),
        probe.ask(
            "SIP/ListSIPDispatchRule",
            ListSIPDispatchRuleRequest(),
            ListSIPDispatchRuleResponse,
            sip=admin,
        ),
    )
    return Routes(inbound, outbound, rules)


async def waiting_calls(probe: ApiProbe, *, now: float) -> Sequence[Waiting]:
    """Look for callers of now whose agent no worker has taken on.

    Args:
        probe: Sends the requests.
        now: Seconds since 1970.
    """
    listed = await probe.ask(
        "RoomService/ListRooms",
        ListRoomsRequest(),
        ListRoomsResponse,
        video=api.VideoGrants(room_list=True),
    )
    rooms = listed.message.rooms if listed.message is not None else ()
    due = [room for room in rooms if now - room.creation_time >= _CALL_BEGINS]
    newest = sorted(due, key=lambda room: room.creation_time, reverse=True)[:_MOST_ROOMS]
    slots = asyncio.Semaphore(_AT_ONCE)
    found = await asyncio.gather(*(_waiting(probe, room, now, slots) for room in newest))
    return tuple(each for some in found for each in some)


async def _waiting(
    probe: ApiProbe, room: Room, now: float, slots: asyncio.Semaphore
) -> Sequence[Waiting]:
    admin = api.VideoGrants(room_admin=True, room=room.name)
    async with slots:
        listed = await probe.ask(
            "AgentDispatchService/ListDispatch",
            ListAgentDispatchRequest(room=room.name),
            ListAgentDispatchResponse,
            video=admin,
        )
        sent = listed.message.agent_dispatches if listed.message is not None else ()
        alone = [each for each in sent if not each.state.jobs]
        if not alone:
            return ()
        here = await probe.ask(
            "RoomService/ListParticipants",
            ListParticipantsRequest(room=room.name),
            ListParticipantsResponse,
            video=admin,
        )
    legs = here.message.participants if here.message is not None else ()
    if not _only_callers(legs):
        return ()
    return tuple(
        Waiting(room.name, each.agent_name, now - each.state.created_at / 1e9) for each in alone
    )


def _only_callers(legs: Sequence[ParticipantInfo]) -> bool:
    kinds = [leg_from_listing(leg).kind for leg in legs]
    return LegKind.CALLER in kinds and LegKind.AGENT not in kinds


def _no_room() -> str:
    return f"onhook-doctor-{secrets.token_hex(8)}"

"""Who is on a call: from the job's own room where it is connected, else from the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from livekit import rtc
from livekit.protocol.models import ParticipantInfo, TrackType

from onhook.call import Call, Direction, Leg, LegKind, LineState
from onhook.livekit.credentials import ANNOUNCER, ROLE, WITHDRAWN
from onhook.livekit.framework.room_internals import kind_details_of, permissions_of

__all__ = [
    "from_listing",
    "from_room",
    "has_audio",
    "is_withdrawn",
    "leg_from_listing",
    "may_publish",
    "may_subscribe",
]

_PUBLISHES_ON_BEHALF = "lk.publish_on_behalf"
"""Set on avatar participants: they are their agent's voice, nobody else's (livekit-agents)."""

_KINDS: Mapping[int, LegKind] = {
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP: LegKind.CALLER,
    rtc.ParticipantKind.PARTICIPANT_KIND_AGENT: LegKind.AGENT,
    rtc.ParticipantKind.PARTICIPANT_KIND_EGRESS: LegKind.OTHER,
    rtc.ParticipantKind.PARTICIPANT_KIND_INGRESS: LegKind.OTHER,
}
"""Every other kind is a person, or a connector; see `_CONNECTED_CALLS`."""

_CONNECTED_CALLS = frozenset((2, 3))
"""`kind_details` of a WhatsApp and of a phone call that came by a connector (livekit-protocol
`ParticipantInfo.KindDetail`: CONNECTOR_WHATSAPP, CONNECTOR_TWILIO; the same in livekit's rtc)."""
_MICROPHONE = 2
"""`TrackSource.MICROPHONE` of livekit-protocol, and of livekit's rtc."""
_AGENT_STATE = "lk.agent.state"
"""Set by a session's room output (livekit-agents `voice/room_io`)."""


def from_room(room: rtc.Room, *, job: str = "") -> Call:
    """Picture the call as the connected room sees it, without any request.

    Hidden participants are not in a room's own view (livekit-server), so they need no test here.

    Args:
        room: A connected room.
        job: LiveKit job id.
    """
    me = room.local_participant
    mine = Leg(me.identity, LegKind.AGENT, audible=has_audio(me))
    legs = (
        _leg(p, permissions_of(p), audible=has_audio(p), hidden=False, agent=me.identity)
        for p in room.remote_participants.values()
    )
    attributes = (p.attributes for p in room.remote_participants.values())
    return Call(room.name, (mine, *legs), me.identity, job, _direction(attributes))


def from_listing(
    room: str, listing: Iterable[ParticipantInfo], *, agent: str = "", job: str = ""
) -> Call:
    """Picture the call as the server lists it.

    Args:
        room: Room name.
        listing: The participants.
        agent: Identity of the guarded agent.
        job: LiveKit job id.
    """
    here = [p for p in listing if p.state != ParticipantInfo.State.DISCONNECTED]
    legs = tuple(leg_from_listing(p, agent=agent) for p in here)
    return Call(room, legs, agent, job, _direction(p.attributes for p in here))


def leg_from_listing(participant: ParticipantInfo, *, agent: str = "") -> Leg:
    """Picture one participant as the server describes them, in a listing or in a webhook.

    Args:
        participant: The server's description.
        agent: Identity of the guarded agent: an avatar is its voice, and nobody else's.
    """
    return _leg(
        participant,
        participant.permission if participant.HasField("permission") else None,
        audible=any(t.type == TrackType.AUDIO and not t.muted for t in participant.tracks),
        hidden=participant.permission.hidden,
        agent=agent,
    )


def has_audio(participant: rtc.Participant) -> bool:
    """Return whether a participant publishes an audio track that is not muted."""
    return any(
        publication.kind == rtc.TrackKind.KIND_AUDIO and not publication.muted
        for publication in participant.track_publications.values()
    )


def is_withdrawn(room: rtc.Room) -> bool:
    """Return whether a rescuer takes this job's own agent away: the call is that rescuer's.

    Args:
        room: The job's room, connected or no longer.
    """
    try:
        me = room.local_participant
    except Exception:  # noqa: BLE001 - a bare one, before `connect()` (livekit `rtc/room.py`)
        return False
    return me.attributes.get(WITHDRAWN, "") != ""


def _leg(
    participant: rtc.RemoteParticipant | ParticipantInfo,
    permission: Any,
    *,
    audible: bool,
    hidden: bool,
    agent: str,
) -> Leg:
    identity, attributes = participant.identity, participant.attributes
    mine = attributes.get(ROLE) == ANNOUNCER
    avatar = bool(agent) and attributes.get(_PUBLISHES_ON_BEHALF) == agent
    if hidden or mine or avatar:
        return Leg(identity, LegKind.OTHER, audible=audible and avatar, may_speak=False)
    kind = _KINDS.get(participant.kind, LegKind.HUMAN)
    if _CONNECTED_CALLS & kind_details_of(participant):
        kind = LegKind.CALLER
    if kind is LegKind.AGENT:
        starts = attributes.get(_AGENT_STATE) == "initializing"
        return Leg(identity, kind, audible=audible, may_speak=starts)
    may_speak = audible or may_publish(permission)
    if kind is not LegKind.CALLER:
        return Leg(identity, kind, audible=audible, may_speak=may_speak)
    return Leg(
        identity,
        kind,
        _line_state(attributes.get("sip.callStatus", "")),
        audible,
        attributes.get("sip.callID", ""),
        may_hear=may_subscribe(permission),
    )


def may_publish(permission: Any) -> bool:
    """Return whether a participant may publish audio; who nothing is known of may.

    Args:
        permission: What it may do, as rtc or the server tells it.
    """
    if not _is_told(permission):
        return True
    sources = permission.can_publish_sources
    return bool(permission.can_publish and (not sources or _MICROPHONE in sources))


def may_subscribe(permission: Any) -> bool:
    """Return whether a participant may hear others; who nothing is known of may.

    Args:
        permission: What it may do, as rtc or the server tells it.
    """
    return not _is_told(permission) or bool(permission.can_subscribe)


def _is_told(permission: Any) -> bool:
    return permission is not None and bool(permission.ByteSize())


def _line_state(status: str) -> LineState:
    # "automation" is DTMF being dialled into an answered line (livekit-sip, outbound)
    status = "active" if status == "automation" else status
    try:
        return LineState(status)
    except ValueError:
        return LineState.UNKNOWN


def _direction(attributes: Iterable[Mapping[str, Any]]) -> Direction:
    """Only a call that came in was matched by a dispatch rule (`sip.ruleID`, livekit-sip)."""
    legs = [a for a in attributes if "sip.callID" in a]
    if not legs:
        return Direction.UNKNOWN
    return Direction.INBOUND if legs[0].get("sip.ruleID") else Direction.OUTBOUND

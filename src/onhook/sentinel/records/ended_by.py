"""Who ended a call, from what the server tells of the caller's leg. Pure.

livekit-sip 1.8 and livekit-server 1.13 were asked with real calls (`reason` is the webhook's
`disconnect_reason`, the status the leg's `sip.callStatus` in that webhook):

| what happened | reason | status |
| --- | --- | --- |
| the far end sent BYE, or CANCEL while it rang | CLIENT_INITIATED | hangup |
| the caller was transferred by REFER, and livekit-sip or the far end sent BYE | CLIENT_INITIATED | hangup |
| no caller RTP for 15 to 30 s (livekit-sip `inbound.go`, `mediaTimeout`) | CLIENT_INITIATED | hangup |
| it rang for longer than the trunk's `ringing_timeout` | CLIENT_INITIATED | ringing |
| livekit-sip ended it for want of an ACK, or of media | CLIENT_INITIATED | active |
| RemoveParticipant | PARTICIPANT_REMOVED | as it was |
| DeleteRoom | ROOM_DELETED | as it was |
| the callee was busy or declined; did not answer | USER_REJECTED; USER_UNAVAILABLE | as it was |
| livekit-sip was killed, or lost the server | CONNECTION_TIMEOUT | as it was |

So a transfer by the agent itself, and a caller whose audio has stopped for good, look like a caller
who hangs up.
"""  # noqa: E501 - a table

from __future__ import annotations

from collections.abc import Sequence

from onhook.call import LineState
from onhook.sentinel.call_legs import CallLeg, LegEnd
from onhook.sentinel.records.call_record import EndedBy
from onhook.sentinel.records.incident_events import IncidentEvents

__all__ = ["ended_by"]

_BY_API = ("PARTICIPANT_REMOVED", "ROOM_DELETED")
_BY_SERVER = ("ROOM_CLOSED", "SERVER_SHUTDOWN", "DUPLICATE_IDENTITY", "MIGRATION", "AGENT_ERROR")
_JUST_LEFT = 30.0
"""Seconds after an agent has left in which its code may still end the call."""
_SKEW = 1.0
"""Seconds by which the clocks of two hosts may differ."""
_LEAVES = 5.0
"""Seconds from an accepted transfer to the end of the leg; livekit-sip waits for 1 s."""


def ended_by(
    leg: CallLeg, end: LegEnd, incidents: Sequence[IncidentEvents], ended_at: float
) -> EndedBy:
    """Return who ended a call.

    Args:
        leg: The caller's leg as it was last.
        end: What the server has told of its end.
        incidents: The call's incidents.
        ended_at: When it ended, in seconds since 1970.
    """
    if end.told and end.reason not in _BY_API:
        if end.reason == "CLIENT_INITIATED":
            return EndedBy.ONHOOK if _was_transferred(incidents, ended_at) else _left(leg)
        return EndedBy.NOBODY if end.reason in _BY_SERVER else EndedBy.CARRIER
    if _was_released(leg, end, incidents, ended_at):
        return EndedBy.ONHOOK
    if not end.told:
        return _missing(leg, end)
    return _removed(leg, end)


def _left(leg: CallLeg) -> EndedBy:
    """Return who ended a leg that left the room by itself."""
    match leg.member.leg.line:
        case LineState.RINGING | LineState.DIALING:
            return EndedBy.NOBODY
        case LineState.ACTIVE:
            return EndedBy.CARRIER
    return EndedBy.CALLER


def _removed(leg: CallLeg, end: LegEnd) -> EndedBy:
    """Return who asked the server to end it."""
    just_left = leg.agent_left is not None and end.at - leg.agent_left <= _JUST_LEFT
    if leg.agent_there or just_left or leg.released:
        return EndedBy.AGENT
    return EndedBy.COLLEAGUE


def _missing(leg: CallLeg, end: LegEnd) -> EndedBy:
    """Guess who ended a leg of which no webhook tells: a room outlives a caller who hangs up."""
    if not end.room_over:
        return EndedBy.CALLER
    return EndedBy.AGENT if leg.agent_there else EndedBy.UNKNOWN


def _was_released(
    leg: CallLeg, end: LegEnd, incidents: Sequence[IncidentEvents], ended_at: float
) -> bool:
    if leg.rescued and end.told:
        return True
    since = (incident.releases_since for incident in incidents)
    return any(at is not None and at <= ended_at + _SKEW for at in since)


def _was_transferred(incidents: Sequence[IncidentEvents], ended_at: float) -> bool:
    times = (incident.transferred_at for incident in incidents)
    return any(at is not None and at - _SKEW <= ended_at <= at + _LEAVES for at in times)

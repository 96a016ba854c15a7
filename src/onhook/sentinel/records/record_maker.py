"""From a caller's leg, its end and its incidents to the record of the call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onhook.call import Direction, LineState
from onhook.sentinel.call_legs import CallLeg, LegEnd
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.dead_air import dead_air, failed_at
from onhook.sentinel.records.ended_by import ended_by
from onhook.sentinel.records.incident_events import IncidentEvents
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.stays import RULE, TRUNK

__all__ = ["EndedCall", "record_of"]

_PROMPT = 2.0
"""Seconds from a leg's coming, by the server's clock, to its first sighting here, within which our
own clock tells better when it came."""
_ANSWERED = (LineState.ACTIVE, LineState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class EndedCall:
    """What is known of a call that has ended.

    Args:
        leg: The caller's leg as it was last.
        end: How it ended.
        offset: What turns the sentinel's monotonic clock into seconds since 1970.
        began_at: When it began, where an earlier start of the sentinel saw it; seconds since 1970.
        answered_at: The same of its answer.
    """

    leg: CallLeg
    end: LegEnd
    offset: float
    began_at: float | None = None
    answered_at: float | None = None

    @property
    def began(self) -> float:
        """When the leg came, in seconds since 1970."""
        seen, joined = self.leg.since + self.offset, self.leg.member.joined_at
        told = joined if joined and not 0 <= seen - joined <= _PROMPT else seen
        return min(told if self.began_at is None else self.began_at, self.ended)

    @property
    def ended(self) -> float:
        """When it ended, in seconds since 1970."""
        return self.end.at + self.offset

    @property
    def answered(self) -> float | None:
        """When it was answered, in seconds since 1970; `None` where it never was."""
        if self.answered_at is not None:
            return self.answered_at
        leg, heard = self.leg, self.leg.heard_while_ringing
        if leg.answered is None and not _ends_answered(leg):
            return None
        times = [at for at in (leg.answered, heard) if at is not None]
        return min(max(min(times, default=leg.since) + self.offset, self.began), self.ended)


def record_of(call: EndedCall, incidents: Sequence[IncidentEvents], mask: NumberMask) -> CallRecord:
    """Return the record of a call.

    Args:
        call: It.
        incidents: Its incidents.
        mask: How numbers are kept.
    """
    leg, told = call.leg, call.leg.member.attributes
    answered, ended = call.answered, call.ended
    known = [incident for incident in incidents if incident.opened is not None]
    chief = max(known, key=_weight, default=None)
    faults = [at for incident in known if (at := failed_at(incident)) is not None]
    billed_since = None if answered is None or not faults else max(answered, min(faults))
    return CallRecord(
        id=leg.id,
        room=mask.text(leg.room),
        direction=_direction(leg),
        number=told.get("sip.trunkPhoneNumber", ""),
        caller=mask.number(told.get("sip.phoneNumber", "")),
        trunk=told.get(TRUNK, ""),
        agent=leg.agent_name,
        host=leg.host,
        began_at=round(call.began, 3),
        answered_at=None if answered is None else round(answered, 3),
        ended_at=round(ended, 3),
        ended_by=ended_by(leg, call.end, known, ended),
        ringing=round((ended if answered is None else answered) - call.began, 3),
        silent=round(dead_air(known, answered_at=answered, ended_at=ended), 3),
        billed_after_fault=0.0 if billed_since is None else round(max(0, ended - billed_since), 3),
        **_of_incident(chief),
    )


def _of_incident(incident: IncidentEvents | None) -> dict[str, str]:
    if incident is None or incident.opened is None:
        return {}
    opened = incident.opened
    return {
        "fault": str(opened.failure.fault),
        "incident": opened.incident,
        "ring": incident.ring,
        "mode": opened.mode,
        "rescue": incident.rungs,
        "outcome": incident.outcome,
    }


def _weight(incident: IncidentEvents) -> tuple[bool, bool, float]:
    """Return what sorts incidents: acted upon before observed, lost before impaired, the last."""
    at = 0.0 if incident.opened is None else incident.opened.wall
    return incident.is_lost, incident.is_acted_on, at


def _direction(leg: CallLeg) -> Direction:
    if not leg.member.leg.call_id:
        return Direction.UNKNOWN
    return Direction.INBOUND if leg.member.attributes.get(RULE) else Direction.OUTBOUND


def _ends_answered(leg: CallLeg) -> bool:
    """Return whether a leg was answered, though nobody has seen when.

    One that we dialled can be hung up by the far end only once it was answered; of one that came in
    that says nothing, since a caller may give up.
    """
    line = leg.member.leg.line
    if _direction(leg) is Direction.OUTBOUND and line is LineState.HANGUP:
        return True
    if line is LineState.HANGUP:
        return leg.heard_while_ringing is not None
    return line in _ANSWERED

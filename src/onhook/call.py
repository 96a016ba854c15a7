"""A frozen picture of one call: who is on it, and how each of them is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Call", "Direction", "Leg", "LegKind", "LineState"]


class LegKind(StrEnum):
    """Who a participant is, for the question who stays on the line."""

    CALLER = "caller"
    """A phone's leg: `kind == SIP`, whatever its identity, or a phone or WhatsApp call that came by
    a connector."""
    HUMAN = "human"
    """A person who is not on a SIP leg."""
    AGENT = "agent"
    """An agent, ours or another."""
    OTHER = "other"
    """Egress, ingress, hidden participants and our own announcer: nobody to talk to."""


class LineState(StrEnum):
    """The state of a SIP leg (LiveKit attribute `sip.callStatus`)."""

    DIALING = "dialing"
    RINGING = "ringing"
    ACTIVE = "active"
    HANGUP = "hangup"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Who dialled."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Leg:
    """One participant of a call.

    Args:
        identity: LiveKit participant identity, unique in its room.
        kind: Who this is.
        line: State of the SIP leg; `UNKNOWN` for every other kind.
        audible: Whether the leg publishes an audio track that is not muted.
        may_speak: Whether it can be company: a person who may publish audio, an agent that is just
            starting. A dashboard that only subscribes cannot.
        call_id: The SIP call id (`sip.callID`), empty for other kinds.
        may_hear: Whether a caller may hear what is said in the room.
    """

    identity: str
    kind: LegKind
    line: LineState = LineState.UNKNOWN
    audible: bool = False
    call_id: str = ""
    may_speak: bool = True
    may_hear: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A picture of one call at one moment.

    Args:
        room: LiveKit room name.
        legs: Everybody in the room, the failed agent included where it is still there.
        agent: Identity of the agent that is guarded; empty when unknown.
        job: LiveKit job id; empty when unknown.
        direction: Who dialled.
        complete: Whether `legs` is known to be everybody; `False` when nobody could be asked.
    """

    room: str
    legs: tuple[Leg, ...] = ()
    agent: str = ""
    job: str = ""
    direction: Direction = Direction.UNKNOWN
    complete: bool = True

    @property
    def callers(self) -> tuple[Leg, ...]:
        """The SIP legs still on the line."""
        return tuple(
            leg
            for leg in self.legs
            if leg.kind is LegKind.CALLER and leg.line is not LineState.HANGUP
        )

    @property
    def humans(self) -> tuple[Leg, ...]:
        """People who are not on a phone's leg, and who may speak."""
        return tuple(leg for leg in self.legs if leg.kind is LegKind.HUMAN and leg.may_speak)

    @property
    def colleagues(self) -> tuple[Leg, ...]:
        """Phones' legs that are answered, beside the first such one: the two hear each other.

        Which of them called does not matter: while two are there, neither is left alone. One that
        still rings hears nobody.
        """
        answered = (LineState.ACTIVE, LineState.UNKNOWN)
        return tuple(leg for leg in self.callers if leg.line in answered)[1:]

    @property
    def company(self) -> tuple[Leg, ...]:
        """Who can be heard by the caller, or can speak with them, beside the guarded agent.

        People who may publish, phones that are answered, agents that publish a voice or are just
        starting. Who only listens (a dashboard, a transcript viewer, a scribe) is no company.
        """
        agents = (leg for leg in self.other_agents if leg.audible or leg.may_speak)
        return (*self.humans, *agents, *self.colleagues)

    @property
    def other_agents(self) -> tuple[Leg, ...]:
        """Agents other than the guarded one."""
        return tuple(
            leg for leg in self.legs if leg.kind is LegKind.AGENT and leg.identity != self.agent
        )

    @property
    def ringing(self) -> bool:
        """Whether there are callers and none of them has been answered."""
        callers = self.callers
        return bool(callers) and all(
            leg.line in (LineState.RINGING, LineState.DIALING) for leg in callers
        )

    @property
    def deaf(self) -> bool:
        """Whether there are callers and none of them may hear what is said in the room."""
        callers = self.callers
        return bool(callers) and not any(leg.may_hear for leg in callers)

    @property
    def call_id(self) -> str:
        """The SIP call id of the first caller, or an empty string."""
        return next((leg.call_id for leg in self.callers), "")

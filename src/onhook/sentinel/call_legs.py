"""The callers' legs as the call records need them: told when they begin, are answered and end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from onhook.call import LegKind
from onhook.sentinel.sightings import Member, MemberGone
from onhook.sentinel.stays import RULE, Stay
from onhook.sentinel.tombstones import Tombstone

if TYPE_CHECKING:
    from onhook.sentinel.tracked_call import TrackedCall

__all__ = ["CallLeg", "LegEnd", "LegListener", "LegReporter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLeg:
    """A leg that is a call of its own: whoever came in, or the first to be dialled.

    A colleague who was dialled to a caller is part of the caller's call. Times are seconds of the
    sentinel's monotonic clock.

    Args:
        room: Room name.
        room_sid: The server's id of this life of the room.
        member: The leg as it was last described.
        since: When it was first seen.
        answered: When it was answered, as far as that was seen; `None` for not yet.
        heard_while_ringing: When somebody first published sound while it rang.
        agent_name: Name under which the agent's worker is registered; empty if not known.
        host: Id of the watchdog that answers for the agent's host; empty if none does.
        released: Why the agent has left the call on purpose; empty while it has not.
        rescued: Whether an inner ring has told that it rescues this call.
        agent_there: Whether an agent is in the room.
        agent_left: When the last agent went, while none has come back.
        company: Whether a person or another phone is in the room.
    """

    room: str
    room_sid: str
    member: Member
    since: float
    answered: float | None = None
    heard_while_ringing: float | None = None
    agent_name: str = ""
    host: str = ""
    released: str = ""
    rescued: bool = False
    agent_there: bool = False
    agent_left: float | None = None
    company: bool = False

    @property
    def id(self) -> str:
        """The id of its call: the same in every sentinel, and over a restart."""
        return f"{self.room_sid or f'room:{self.room}'}/{self.member.sid}"


@dataclass(frozen=True, slots=True)
class LegEnd:
    """How a leg ended.

    Args:
        at: When, in seconds of the sentinel's monotonic clock.
        reason: The server's word for why; empty where none was given.
        told: Whether the server has said so itself; else a list did not have it any more.
        room_over: Whether the whole room ended with it.
    """

    at: float
    reason: str = ""
    told: bool = True
    room_over: bool = False


class LegListener(Protocol):
    """Takes what becomes of the callers' legs, at once."""

    def leg_seen(self, leg: CallLeg) -> None:
        """A leg has come, was answered, or is there after all."""

    def leg_ended(self, leg: CallLeg, end: LegEnd) -> None:
        """A leg has ended; told again where more is known of it."""


class LegReporter:
    """Tells a listener of the legs in a table of calls.

    Args:
        host: Returns the watchdog that answers for a room's agent, empty for none, and whether it
            rescues that agent's call.
    """

    def __init__(self, host: Callable[[str], tuple[str, bool]]) -> None:
        self._host = host
        self.listener: LegListener | None = None

    def seen(self, call: TrackedCall) -> None:
        """Tell of a call's legs of which there is news.

        Args:
            call: It, after a change.
        """
        if self.listener is None:
            return
        for stay in call.stays.values():
            if stay.member.leg.kind is not LegKind.CALLER:
                continue
            if stay.is_colleague is None:
                stay.is_colleague = _is_colleague(stay, call)
            heard = stay.heard_while_ringing is not None
            state = (stay.answered is not None, heard, call.agent_name)
            if not stay.is_colleague and stay.reported != state:
                stay.reported = state
                self.listener.leg_seen(self._leg(call, stay, stay.member))

    def ended(self, call: TrackedCall, sid: str, end: LegEnd, last: Member | None = None) -> None:
        """Tell that a leg has ended, if it is one; before the call forgets of it.

        Args:
            call: The call it was in.
            sid: The server's id of its stay.
            end: How.
            last: As the server described it at its end.
        """
        stay = call.stays.get(sid)
        if stay is not None and self.listener is not None:
            self.seen(call)
            if stay.member.leg.kind is LegKind.CALLER and not stay.is_colleague:
                self.listener.leg_ended(self._leg(call, stay, last or stay.member), end)

    def gone(
        self, call: TrackedCall | None, gone: MemberGone, now: float, known: Tombstone | None
    ) -> None:
        """Tell that the server says of somebody that they have gone; before the call forgets them.

        Args:
            call: The call in a room of that name, if there is one.
            gone: Who; of whom nothing but the end was heard may have been a leg too.
            now: When that came.
            known: What was known of their end before.
        """
        last = gone.member
        if call is not None and gone.sid in call.stays:
            self.ended(call, gone.sid, LegEnd(now, gone.reason), last)
        elif last is not None and last.leg.kind is LegKind.CALLER and self.listener is not None:
            if known is not None and known.final:
                return
            stay = Stay(last, now, now)
            end = LegEnd(now if known is None else known.at, gone.reason)
            if call is None or call.sid not in ("", gone.room_sid):
                leg = CallLeg(room=gone.room, room_sid=gone.room_sid, member=last, since=now)
                self.listener.leg_ended(leg, end)
            elif not _is_colleague(stay, call):
                self.listener.leg_ended(self._leg(call, stay, last), end)

    def life_over(self, call: TrackedCall, at: float) -> None:
        """Tell that all legs of a room have ended with it; the word of each may still come.

        Args:
            call: The room's life.
            at: When it ended.
        """
        for sid in tuple(call.stays):
            self.ended(call, sid, LegEnd(at, told=False, room_over=True))

    def _leg(self, call: TrackedCall, stay: Stay, member: Member) -> CallLeg:
        others = [s for s in call.stays.values() if s is not stay]
        people = (LegKind.CALLER, LegKind.HUMAN)
        host, rescues = self._host(call.room)
        return CallLeg(
            room=call.room,
            room_sid=call.sid,
            member=member,
            since=stay.since,
            answered=stay.answered,
            heard_while_ringing=stay.heard_while_ringing,
            agent_name=call.agent_name,
            host=host,
            released=call.released,
            rescued=rescues or bool(call.rescue),
            agent_there=any(s.is_agent for s in others),
            agent_left=call.agent_left,
            company=any(s.member.leg.kind in people and s.member.leg.may_speak for s in others),
        )


def _is_colleague(stay: Stay, call: TrackedCall) -> bool:
    """Return whether a leg was dialled to somebody who was there before."""
    if stay.attributes.get(RULE):
        return False
    mine = (stay.member.joined_at, stay.member.sid)
    return any(
        other.attributes.get(RULE) or (other.member.joined_at, other.member.sid) < mine
        for other in call.stays.values()
        if other is not stay and other.member.leg.kind is LegKind.CALLER
    )

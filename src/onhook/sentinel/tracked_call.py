"""One life of one room: who is in it, and since when things are as they are."""

from __future__ import annotations

from dataclasses import replace

from onhook.call import Call, Leg, LegKind, LineState
from onhook.livekit.attribute_names import LADDER, RELEASED, RESCUE, agent_name_of
from onhook.sentinel.call_pictures import picture_of
from onhook.sentinel.participant_counts import ParticipantCounts
from onhook.sentinel.rescue_marks import seconds_of
from onhook.sentinel.sightings import Member, RoomSeen
from onhook.sentinel.stays import Stay
from onhook.sentinel.tombstones import Tombstone

__all__ = ["TrackedCall"]

_ANSWERED = (LineState.ACTIVE, LineState.UNKNOWN)
_STRANGERS = 4
_LONGEST_METADATA = 65_536
"""Characters; a server allows 512 KiB (livekit-server `config.go`). Plans read the tags in it."""


class TrackedCall:
    """What is known of one life of a room; `CallTable` folds sightings into it.

    Args:
        room: Its name.
        sid: The server's id of this life; empty where it was not told.
        now: When it was first seen.
        began_after: When a list of rooms without it was asked for; `None` for never.
    """

    __slots__ = (
        "_answered_for",
        "_call",
        "agent_left",
        "agent_left_by",
        "agent_name",
        "agent_was_there",
        "alone_since",
        "answered_since",
        "began_after",
        "counts",
        "created_at",
        "first_seen",
        "first_voice",
        "ladder",
        "listed",
        "metadata",
        "missing_at",
        "no_agent_since",
        "polled",
        "rang_on",
        "released",
        "relist",
        "rescue",
        "rescue_by",
        "rescue_until",
        "ringing_since",
        "room",
        "seen",
        "sid",
        "stays",
        "strangers",
        "two_legs_since",
        "visited",
    )

    def __init__(self, room: str, sid: str, now: float, began_after: float | None) -> None:
        self.room, self.sid = room, sid
        self.first_seen = self.seen = now
        self.began_after = began_after
        self.created_at = 0.0
        self.metadata = ""
        self.stays: dict[str, Stay] = {}
        self.polled: float | None = None
        self.missing_at: float | None = None
        self.counts = ParticipantCounts(now)
        self.listed: float | None = None
        self.relist = False
        self.no_agent_since: float | None = None
        self.alone_since: float | None = None
        self.visited = self.agent_was_there = self.rang_on = False
        self.agent_left: float | None = None
        self.agent_left_by = ""
        self.ringing_since: float | None = None
        self.answered_since: float | None = None
        self.two_legs_since: float | None = None
        self.released = self.ladder = self.agent_name = ""
        self.strangers: tuple[str, ...] = ()
        """Stays of which only the end was told: an agent may have been there."""
        self.first_voice = self.rescue = self.rescue_by = ""
        self.rescue_until: float | None = None
        self._call: Call | None = None
        self._answered_for: Call | None = None

    @property
    def call(self) -> Call:
        """The picture of the call, made anew after a change only."""
        if self._call is None:
            complete = self.listed is not None
            self._call = picture_of(self.room, self.stays.values(), complete=complete)
        return self._call

    def answered_for(self, agent: str, job: str) -> Call:
        """Return the picture with the agent and the job for which its host answers.

        Args:
            agent: Identity of the agent.
            job: LiveKit job id.
        """
        last = self._answered_for
        if last is None or (last.agent, last.job) != (agent, job):
            plain = self.call
            same = (plain.agent, plain.job) == (agent, job)
            last = plain if same else replace(plain, agent=agent, job=job)
            self._answered_for = last
        return last

    def seen_in_list(self, room: RoomSeen, asked: float, now: float) -> None:
        """Take that a list of rooms has this one.

        Args:
            room: What it says.
            asked: When it was asked for.
            now: When it came.
        """
        self.polled = asked
        self.missing_at = None
        self.seen = max(self.seen, asked)
        self.counts.tell(room.members, room.publishers, now)

    def describe(self, room: RoomSeen) -> None:
        """Take what an event or a list says of the room itself."""
        self.created_at = room.created_at or self.created_at
        told = room.metadata
        if told and told != self.metadata:
            asked = '"tags"' in told and len(told) <= _LONGEST_METADATA
            self.metadata = told if asked else ""

    @property
    def last_told(self) -> float:
        """The latest time of the server's clock that is known of this life; 0 for none."""
        return max([self.created_at, *(stay.member.joined_at for stay in self.stays.values())])

    def add(self, member: Member, now: float, *, asked: float | None) -> bool:
        """Take a description of somebody who is there; `refresh` must follow.

        Args:
            member: It, made slim.
            now: When it came.
            asked: When the list was asked for that has it; `None` for an event.

        Returns:
            Whether anything has changed.
        """
        self._remember(member)
        stay = self.stays.get(member.sid)
        if stay is None:
            seen = now if asked is None else asked
            stay = self.stays[member.sid] = Stay(member, now, seen)
        elif not stay.describe(member, now, asked=asked):
            return False
        self._heed(stay, now)
        return True

    def heard_by_ringing(self, sid: str, now: float) -> None:
        """Take that somebody has published sound, which those whose line rings are answered by.

        Args:
            sid: The server's id of their stay.
            now: Seconds of the sentinel's clock.
        """
        for stay in self.stays.values():
            leg = stay.member.leg
            ringing = leg.kind is LegKind.CALLER and leg.line is LineState.RINGING
            if ringing and stay.member.sid != sid and stay.heard_while_ringing is None:
                stay.heard_while_ringing = now

    def twins(self, member: Member) -> list[str]:
        """Return the stays that are over: who comes again puts out who was there.

        Args:
            member: Who has been seen.
        """
        who = member.leg.identity
        stays = [s.member for s in self.stays.values() if s.member.leg.identity == who]
        stays.sort(key=lambda stay: (stay.joined_at, stay.sid))
        return [stay.sid for stay in stays[:-1] if stay.joined_at]

    def remove(self, sid: str, reason: str = "") -> bool:
        """Take that somebody has gone; `refresh` must follow.

        Returns:
            Whether they were known to be there.
        """
        stay = self.stays.pop(sid, None)
        if stay is not None and stay.is_agent:
            self.agent_left_by = reason
        return stay is not None

    def stranger_gone(self, sid: str, now: float) -> None:
        """Take that somebody has gone of whose coming nobody has told."""
        self.strangers = (*self.strangers[-_STRANGERS:], sid)
        if self.alone_since is not None:
            self.alone_since = self.no_agent_since = now

    def was_there(self, member: Member, end: Tombstone) -> None:
        """Take a late word of somebody who has gone already.

        Args:
            member: Who it was, made slim.
            end: What is known of their going.
        """
        self._remember(member)
        self.strangers = tuple(sid for sid in self.strangers if sid != member.sid)
        another = self.agent_left is not None or any(s.is_agent for s in self.stays.values())
        if member.leg.kind is LegKind.AGENT and not another:
            self.agent_left, self.agent_left_by = end.at, end.reason

    def take_list(self, asked: float) -> list[str]:
        """Take that everybody was listed, after each was added; return whom the list has not.

        Args:
            asked: When it was asked for.
        """
        self.listed = asked
        self.relist = False
        self.counts.explain()
        return [sid for sid, stay in self.stays.items() if stay.seen < asked]

    def refresh(self, now: float, *, listed: bool = False) -> None:
        """Set since when things are as they are; called after every change.

        Args:
            now: Seconds of the sentinel's clock.
            listed: Whether everybody has just been listed.
        """
        self._call = self._answered_for = None
        self.counts.changed(self.stays.values(), now)
        call = self.call
        there, agents = bool(call.callers), any(s.is_agent for s in self.stays.values())
        if agents:
            self.agent_left, self.agent_left_by, self.rang_on = None, "", False
        elif self.agent_left is None and self.agent_was_there:
            self.agent_left = now
        self.agent_was_there = agents or self.agent_left is not None
        self.no_agent_since = _since(self.no_agent_since, there and not agents, now)
        alone = there and not agents and not call.company
        self.alone_since = _since(self.alone_since, alone, now)
        self.ringing_since = _since(self.ringing_since, call.ringing, now)
        answered = any(_is_answered(leg) for leg in call.callers)
        self.answered_since = _since(self.answered_since, answered, now)
        pair = len(call.callers) > 1 and all(leg.line in _ANSWERED for leg in call.callers)
        strangers = call.humans or any(leg.audible for leg in call.other_agents)
        self.two_legs_since = _since(
            self.two_legs_since, pair and not agents and not strangers, now
        )
        if listed and call.ringing and self.agent_left is not None:
            self.rang_on = True

    def _remember(self, member: Member) -> None:
        """Take what stays true of this life, also from a description that is not the newest."""
        leg = member.leg
        # a caller outlives the agent that has released them, and bears the mark
        self.released = self.released or member.attributes.get(RELEASED, "")
        if leg.kind is LegKind.AGENT:
            self.visited = True
            self.ladder = self.ladder or member.attributes.get(LADDER, "")
        elif leg.kind is LegKind.HUMAN:
            self.visited = self.visited or leg.may_speak
        elif leg.kind is LegKind.CALLER and _is_answered(leg):
            self.first_voice = self.first_voice or member.sid
            self.visited = self.visited or self.first_voice != member.sid

    def _heed(self, stay: Stay, now: float) -> None:
        """Take what somebody tells of themselves."""
        told = stay.attributes
        if not stay.is_agent:
            return
        self.ladder = told.get(LADDER, "") or self.ladder
        self.agent_name = agent_name_of(told) or self.agent_name
        rescue = told.get(RESCUE, "")
        if rescue and rescue != self.rescue:
            self.rescue, self.rescue_by = rescue, stay.member.sid
            self.rescue_until = now + seconds_of(rescue)
        elif not rescue and self.rescue_by == stay.member.sid:
            self.rescue = self.rescue_by = ""
            self.rescue_until = None


def _since(before: float | None, applies: bool, now: float) -> float | None:
    if not applies:
        return None
    return now if before is None else before


def _is_answered(leg: Leg) -> bool:
    """Return whether a leg is answered; one that came by a connector has no state, and is."""
    return leg.line is LineState.ACTIVE or (leg.line is LineState.UNKNOWN and not leg.call_id)

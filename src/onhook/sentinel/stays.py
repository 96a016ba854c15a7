"""One participant's stay in a room, as far as it is known, kept small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from onhook.call import LegKind, LineState
from onhook.livekit.attribute_names import AGENT_NAME
from onhook.sentinel.call_view import AgentView, ProbeResult
from onhook.sentinel.sightings import Member

__all__ = ["ON_BEHALF", "RULE", "TRUNK", "Shared", "Stay"]

TRUNK: Final = "sip.trunkID"
RULE: Final = "sip.ruleID"
"""Only a call that came in was matched by a dispatch rule (livekit-sip)."""
ON_BEHALF: Final = "lk.publish_on_behalf"
"""Set on avatars: they are their agent's voice, nobody else's (livekit-agents `types.py`)."""

_PHONE = (TRUNK, RULE, "sip.phoneNumber", "sip.trunkPhoneNumber")
"""What plans ask for; a carrier may send any number of headers as `sip.h.*`."""
_OWN = ("onhook.", "lk.agent.", AGENT_NAME, ON_BEHALF)
_LONGEST = 4096
"""Characters of a value: a ladder has no more."""
_MOST_SHARED = 10_000


class Shared:
    """Strings that many calls have in common, each kept once: trunks, rules, ladders, states."""

    def __init__(self) -> None:
        self._strings: dict[str, str] = {}

    def one(self, text: str) -> str:
        """Return the one copy of a string."""
        if len(self._strings) >= _MOST_SHARED:
            self._strings.clear()
        return self._strings.setdefault(text, text)

    def slim(self, member: Member) -> Member:
        """Return a participant with what the sentinel asks of them, and no more.

        Args:
            member: As the server describes them.
        """
        kept = {
            self.one(name): value if name == "sip.phoneNumber" else self.one(value)
            for name, value in member.attributes.items()
            if name.startswith(_OWN if name[:4] != "sip." else _PHONE) and len(value) <= _LONGEST
        }
        leg = member.leg
        if ON_BEHALF in kept and leg.kind is LegKind.AGENT:
            leg = replace(leg, kind=LegKind.OTHER, may_speak=False)
        return replace(member, leg=leg, attributes=kept)


class _Probes:
    """What an agent did with the questions that it was asked."""

    __slots__ = ("absent", "answered", "asked", "gone", "unanswered", "unanswered_since")

    def __init__(self) -> None:
        self.asked: float | None = None
        self.answered: float | None = None
        self.unanswered = 0
        self.unanswered_since: float | None = None
        self.gone = 0
        self.absent = False

    def take(self, result: ProbeResult, asked: float) -> None:
        if self.asked is not None and asked <= self.asked:
            return
        self.asked = asked
        if result is ProbeResult.ANSWERED:
            self.answered = asked
            self.unanswered, self.unanswered_since, self.gone = 0, None, 0
            self.absent = False
        elif result is not ProbeResult.UNKNOWN:
            self.unanswered += 1
            self.unanswered_since = (
                asked if self.unanswered_since is None else self.unanswered_since
            )
            self.absent = result is ProbeResult.ABSENT
            self.gone = 0 if result is ProbeResult.BLOCKED else self.gone + 1


class Stay:
    """A participant's stay. All times are seconds of the sentinel's clock.

    Args:
        member: As the server describes them, made slim.
        now: When that was taken.
        seen: Up to when they were certainly there: an event's arrival, or when a list was asked.
    """

    __slots__ = (
        *("answered", "changed", "heard_while_ringing", "is_colleague"),
        *("member", "probes", "reported", "seen", "since"),
    )

    def __init__(self, member: Member, now: float, seen: float) -> None:
        self.member = member
        self.since = now
        self.changed = now
        self.seen = seen
        self.probes: _Probes | None = None
        self.answered: float | None = None
        """When a phone's leg was answered, as far as it was seen."""
        self.heard_while_ringing: float | None = None
        """When somebody else first published sound while this leg rang: what answers one that came
        in (livekit-sip `room.go`)."""
        self.is_colleague: bool | None = None
        """Whether this phone's leg was dialled to a caller; `None` while nobody has asked."""
        self.reported: tuple[bool, bool, str] | None = None
        """What was last told of it to whoever records calls."""
        self._note_answer(member, now)

    def describe(self, member: Member, now: float, *, asked: float | None) -> bool:
        """Take another description: of two events the greater version counts, else the list.

        Args:
            member: It, made slim.
            now: When it came.
            asked: When the list was asked for that has it; `None` for an event.

        Returns:
            Whether anything has changed.
        """
        mine, other = self.member.version, member.version
        before, self.seen = self.seen, max(self.seen, now if asked is None else asked)
        if asked is None and mine > 0 and other <= mine:
            return False
        if asked is not None and other < mine and asked <= before:
            return False
        if member == self.member:
            return False
        self._note_answer(member, now)
        self.member = member
        # what a list shows may have been so since the last look: nothing tells of an attribute
        self.changed = now if asked is None else before
        return True

    def heard(self, now: float) -> bool:
        """Take that they have published sound; a later list may know better.

        Returns:
            Whether that is news.
        """
        self.seen = now
        if self.member.leg.audible:
            return False
        self.member = replace(self.member, leg=replace(self.member.leg, audible=True))
        self.changed = now
        return True

    def _note_answer(self, member: Member, now: float) -> None:
        if self.answered is None and member.leg.line is LineState.ACTIVE:
            self.answered = self.heard_while_ringing or now

    def probed(self, result: ProbeResult, asked: float) -> None:
        """Take what became of a question.

        Args:
            result: It.
            asked: When it was asked.
        """
        if self.probes is None:
            self.probes = _Probes()
        self.probes.take(result, asked)

    @property
    def is_agent(self) -> bool:
        """Whether this is an agent, and no avatar or helper of one."""
        return self.member.leg.kind is LegKind.AGENT

    @property
    def attributes(self) -> Mapping[str, str]:
        """What is kept of their attributes."""
        return self.member.attributes

    @property
    def order(self) -> tuple[bool, float, str]:
        """The place among the legs: answered ones first, then who came first."""
        rings = self.member.leg.line in (LineState.RINGING, LineState.DIALING)
        return rings, self.member.joined_at, self.member.sid

    def as_agent(self) -> AgentView:
        """Return this agent as the detectors see it."""
        known = self.probes or _NOT_PROBED
        return AgentView(
            identity=self.member.leg.identity,
            sid=self.member.sid,
            since=self.since,
            changed=self.changed,
            attributes=self.member.attributes,
            asked=known.asked,
            answered=known.answered,
            unanswered=known.unanswered,
            unanswered_since=known.unanswered_since,
            blocked=known.unanswered > 0 and known.gone < min(2, known.unanswered),
            absent=known.absent,
        )


_NOT_PROBED = _Probes()

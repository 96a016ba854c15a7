"""Makes the record of every call: notices its end, joins what was told of rescues, once a call."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from onhook.rescue.events import Opened
from onhook.sentinel.call_legs import CallLeg, LegEnd
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.incident_events import IncidentEvents
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.open_calls import OpenCall
from onhook.sentinel.records.record_maker import EndedCall, record_of
from onhook.sentinel.sightings import MembersListed, RescueSeen, RoomsListed
from onhook.sentinel.stays import RULE, TRUNK

__all__ = ["CallBook", "DueCall"]

_SETTLE = 2.0
"""Seconds after a call's end in which the last events of its rescue may come."""
_UNTOLD = 6.0
"""Seconds for which the server's word is waited for, where a list alone shows that a leg has gone;
a webhook that could not be taken comes again within some seconds."""
_RESCUE = 15.0
"""Seconds after a call's end for which a rescue without an outcome is waited for."""
_REMEMBERED, _MOST_REMEMBERED = 600.0, 5_000
"""Seconds for which a record may be amended by what comes late, and how many there are at most."""
_MOST_INCIDENTS = 5_000
_MOST_OPEN = 100_000
"""Calls that are known to be there; 20,000 are usual at most."""
_EARLY, _LATE = 5.0, 60.0
"""Seconds before a call and after its end within which an incident of its room is its own."""


@dataclass(slots=True)
class _Open:
    """A call that is there, and what an earlier start of the sentinel knew of it."""

    leg: CallLeg
    before: OpenCall | None = None


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call whose record is to be made now.

    Args:
        call: The call.
        again: Whether its record was made before, and something was told since.
    """

    call: EndedCall
    again: bool = False


@dataclass(slots=True)
class _Ended:
    call: EndedCall
    due: float
    made: bool = False
    changed: bool = False


class CallBook:
    """Knows the calls that are there and those that have just ended. Pure, but for its clocks.

    It is the `LegListener` of a `CallTable`.

    Args:
        mask: How numbers are kept.
        clock: Seconds of the sentinel's monotonic clock.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        mask: NumberMask,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._mask = mask
        self._clock = clock
        self._wall = wall
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._ended: OrderedDict[str, _Ended] = OrderedDict()
        self._incidents: OrderedDict[str, IncidentEvents] = OrderedDict()
        self._before: dict[str, OpenCall] = {}
        """Calls of an earlier start that have not been seen again."""
        self._news: deque[str] = deque(maxlen=_MOST_OPEN)
        self._told: deque[RescueSeen] = deque(maxlen=_MOST_INCIDENTS)

    def __len__(self) -> int:
        return len(self._open)

    # -- what is learned

    def leg_seen(self, leg: CallLeg) -> None:
        """See `LegListener.leg_seen`."""
        if _is_scanner(leg):
            return
        ended = self._ended.get(leg.id)
        if ended is not None and not ended.made:
            del self._ended[leg.id]  # a list had missed it
        known = self._open.get(leg.id)
        if known is None:
            known = self._open[leg.id] = _Open(leg, self._before.pop(leg.id, None))
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        known.leg = leg
        self._news.append(leg.id)

    def leg_ended(self, leg: CallLeg, end: LegEnd) -> None:
        """See `LegListener.leg_ended`."""
        if _is_scanner(leg):
            return
        before = self._before.pop(leg.id, None)
        if (known := self._open.pop(leg.id, None)) is not None:
            before = known.before
        if (ended := self._ended.get(leg.id)) is not None:
            self._learn_more(ended, leg, end)
            return
        now = self._clock()
        self._ended[leg.id] = _Ended(
            self._as_ended(leg, end, before), now + (_SETTLE if end.told else _UNTOLD)
        )
        self._forget(now)

    def rescue_seen(self, seen: RescueSeen) -> bool:
        """Take in what has happened in a rescue; return whether it is new.

        Args:
            seen: It.
        """
        event = seen.event
        incident = self._incidents.get(event.incident)
        if incident is None:
            incident = self._incidents[event.incident] = IncidentEvents(seen.room)
            if len(self._incidents) > _MOST_INCIDENTS:
                self._incidents.popitem(last=False)
        if isinstance(event, Opened):
            incident.room = event.call.room
        incident.room = incident.room or seen.room
        if not incident.take(event):
            return False
        self._told.append(replace(seen, room=incident.room))
        for ended in self._ended.values():
            if ended.call.leg.room == incident.room:
                ended.changed = True
        return True

    def listed(self, sighting: RoomsListed | MembersListed) -> None:
        """Look whether calls of an earlier start are still there.

        Args:
            sighting: Which rooms there are, or who is in one of them.
        """
        if not self._before:
            return
        if isinstance(sighting, RoomsListed):
            there = {room.sid for room in sighting.rooms}
            gone = [c for c in self._before.values() if c.room_sid not in there]
        else:
            sids = {member.sid for member in sighting.members}
            gone = [
                c
                for c in self._before.values()
                if c.room == sighting.room and c.member.sid not in sids
            ]
        for call in gone:
            self._ended_unseen(call)

    def restore(self, calls: Sequence[OpenCall], events: Sequence[RescueSeen]) -> None:
        """Take in what an earlier start had kept.

        Args:
            calls: The calls that were there.
            events: What was told of rescues.
        """
        self._before = {call.id: call for call in calls if call.id not in self._ended}
        for seen in events:
            self.rescue_seen(seen)
        self._told.clear()  # they are kept already
        for name, known in self._open.items():
            if (before := self._before.pop(name, None)) is not None:
                known.before = before

    # -- what is to be kept

    def news(self, most: int) -> tuple[Sequence[OpenCall], Sequence[RescueSeen]]:
        """Return calls of which there is news, and events that were told, each once.

        Args:
            most: How many of each at most.
        """
        names = dict.fromkeys(self._news.popleft() for _ in range(min(most, len(self._news))))
        calls = [self._to_keep(self._open[name]) for name in names if name in self._open]
        events = [self._told.popleft() for _ in range(min(most, len(self._told)))]
        return calls, events

    def due(self) -> Iterator[DueCall]:
        """Yield the calls whose record is to be made now; `made` or `put_off` must follow each."""
        now = self._clock()
        for ended in list(self._ended.values()):
            if ended.made and ended.changed:
                yield DueCall(ended.call, again=True)
            elif not ended.made and ended.due <= now and not self._awaits_rescue(ended, now):
                yield DueCall(ended.call)

    def record(self, call: EndedCall) -> CallRecord:
        """Return the record of a call, as far as is known now.

        Args:
            call: One that `due` has yielded.
        """
        return record_of(call, self._incidents_of(call), self._mask)

    def made(self, call: EndedCall) -> None:
        """The record of a call is kept."""
        if (ended := self._ended.get(call.leg.id)) is not None:
            ended.made, ended.changed = True, False

    def put_off(self, call: EndedCall, seconds: float) -> None:
        """The record of a call cannot be made now; it is due again in some seconds."""
        if (ended := self._ended.get(call.leg.id)) is not None:
            ended.due = self._clock() + seconds

    # -- inside

    def _learn_more(self, ended: _Ended, leg: CallLeg, end: LegEnd) -> None:
        """Take the server's word for an end that a list had shown."""
        if ended.call.end.told or not end.told:
            return
        at = min(ended.call.end.at, end.at)
        told = replace(end, at=at, room_over=ended.call.end.room_over)
        before = ended.call.leg
        answered = before.answered if leg.answered is None else leg.answered
        rang = before.heard_while_ringing
        rang = rang if leg.heard_while_ringing is None else leg.heard_while_ringing
        better = replace(before, member=leg.member, answered=answered, heard_while_ringing=rang)
        ended.call = replace(ended.call, leg=better, end=told)
        ended.due = min(ended.due, self._clock() + _SETTLE)
        ended.changed = True

    def _ended_unseen(self, call: OpenCall) -> None:
        """A call has ended while no sentinel ran here: what is known of it is kept."""
        del self._before[call.id]
        if call.id in self._ended or call.id in self._open:
            return
        offset = self._wall() - self._clock()
        leg = CallLeg(
            room=call.room,
            room_sid=call.room_sid,
            member=call.member,
            since=call.began_at - offset,
            agent_name=call.agent_name,
            host=call.host,
        )
        end = LegEnd(call.seen_at - offset, told=False, room_over=True)
        ended = self._as_ended(leg, end, call)
        self._ended[call.id] = _Ended(ended, self._clock() + _UNTOLD)

    def _as_ended(self, leg: CallLeg, end: LegEnd, before: OpenCall | None) -> EndedCall:
        offset = self._wall() - self._clock()
        if before is None:
            return EndedCall(leg, end, offset)
        if before.heard_at is not None and leg.heard_while_ringing is None:
            leg = replace(leg, heard_while_ringing=before.heard_at - offset)
        return EndedCall(leg, end, offset, before.began_at, before.answered_at)

    def _to_keep(self, known: _Open) -> OpenCall:
        now = self._clock()
        told = self._as_ended(known.leg, LegEnd(now), known.before)  # as if it ended now
        began, answered, offset = told.began, told.answered, told.offset
        return OpenCall.of(
            told.leg, began_at=began, answered_at=answered, now=now + offset, offset=offset
        )

    def _incidents_of(self, call: EndedCall) -> list[IncidentEvents]:
        begin, end = call.began - _EARLY, call.ended + _LATE
        return [
            incident
            for incident in self._incidents.values()
            if incident.room == call.leg.room
            and (opened := incident.opened) is not None
            and begin <= opened.wall <= end
        ]

    def _awaits_rescue(self, ended: _Ended, now: float) -> bool:
        if now - ended.call.end.at > _RESCUE:
            return False
        return any(not incident.outcome for incident in self._incidents_of(ended.call))

    def _forget(self, now: float) -> None:
        while self._ended:
            name, ended = next(iter(self._ended.items()))
            old = ended.made and now - ended.call.end.at > _REMEMBERED
            if not old and len(self._ended) <= _MOST_REMEMBERED:
                return
            del self._ended[name]


def _is_scanner(leg: CallLeg) -> bool:
    """Return whether a leg is no call: it came in by no trunk, and nobody has ever answered it."""
    told = leg.member.attributes
    by_rule_alone = bool(told.get(RULE)) and not told.get(TRUNK)
    answered = leg.answered is not None or leg.heard_while_ringing is not None
    return by_rule_alone and not answered and not leg.agent_there

"""The table of all calls: folds sightings, in whatever order they come, into what is known."""

from __future__ import annotations

from collections.abc import Iterator

from onhook.call import LegKind, LineState
from onhook.sentinel.call_legs import LegEnd, LegListener, LegReporter
from onhook.sentinel.call_pictures import view_of
from onhook.sentinel.call_view import CallView, ProbeResult
from onhook.sentinel.host_leases import HostLeases
from onhook.sentinel.job_hints import JobHints
from onhook.sentinel.listing_wants import is_overdue, ringing_on, wanted
from onhook.sentinel.room_lives import RoomLives
from onhook.sentinel.sightings import (
    AgentJob,
    HostLease,
    MemberGone,
    MemberSeen,
    MembersListed,
    RoomGone,
    RoomSeen,
    RoomsListed,
    Sighting,
    TrackChanged,
)
from onhook.sentinel.stays import Shared
from onhook.sentinel.tombstones import Tombstone, Tombstones
from onhook.sentinel.tracked_call import TrackedCall

__all__ = ["CallTable"]

_HELD_UP = 5.0
"""Seconds without any call of the table's methods: then this process did not run, and nobody who
was silent meanwhile has failed to speak."""
_EVENTS_FLOW = 60.0
"""Seconds since the last webhook about a participant for which they count as coming."""


class CallTable:
    """What a sentinel knows of all calls. Pure: no I/O, and no clock but what is given.

    Events may be lost, come twice, late or in another order; lists are the truth as of when they
    were asked for. All times are seconds of the sentinel's monotonic clock, and never go back.
    """

    def __init__(self) -> None:
        self._legs = LegReporter(self._host_of)
        self._lives = RoomLives(self._ended)
        self._calls = self._lives.calls
        self._uneasy: set[str] = set()
        """Rooms with a caller whom no agent keeps company, or with a rescue under way."""
        self._stays = Tombstones()
        self._leases = HostLeases()
        self._hints = JobHints()
        self._shared = Shared()
        self._asked: float | None = None
        self._event_at: float | None = None
        self._server_ahead: float | None = None
        self._now: float | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def tell(self, listener: LegListener) -> None:
        """Tell somebody from now on what becomes of the callers' legs; one at a time."""
        self._legs.listener = listener

    def take(self, sighting: Sighting, now: float) -> None:
        """Take what was learned.

        Args:
            sighting: It.
            now: When it came.
        """
        self._tick(now)
        match sighting:
            case RoomsListed():
                self._rooms_listed(sighting, now)
            case MembersListed():
                self._members_listed(sighting, now)
            case MemberSeen():
                self._member_seen(sighting, now)
            case MemberGone():
                self._member_gone(sighting, now)
            case TrackChanged():
                self._track_changed(sighting, now)
            case RoomSeen():
                self._room_seen(sighting, now)
            case _:
                self._others(sighting, now)

    def probed(self, room: str, sid: str, result: ProbeResult, asked: float, now: float) -> None:
        """Take what an agent did with a question.

        Args:
            room: Room name.
            sid: The server's id of its stay.
            result: What it did.
            asked: When it was asked.
            now: When that was known.
        """
        self._tick(now)
        call = self._calls.get(room)
        if call is not None and (stay := call.stays.get(sid)) is not None:
            stay.probed(result, asked)

    @property
    def hosts(self) -> HostLeases:
        """The leases of the hosts, to look at."""
        return self._leases

    def view(self, room: str, now: float) -> CallView | None:
        """Return a call as the detectors see it; `None` where it is not tracked.

        Args:
            room: Room name.
            now: Seconds of the sentinel's clock.
        """
        self._tick(now)
        call = self._calls.get(room)
        return None if call is None else self._view(call, now)

    def views(self, now: float) -> Iterator[CallView]:
        """Yield every call.

        Args:
            now: Seconds of the sentinel's clock.
        """
        self._tick(now)
        for call in list(self._calls.values()):
            yield self._view(call, now)

    def uneasy(self, now: float) -> Iterator[CallView]:
        """Yield the calls in which nobody is known to look after the caller.

        These are all that need be judged between two polls: without an agent or company, with a
        rescue under way, or of a host that is late with its lease. A call's length and unguarded
        agents that are in the room are judged by `views`.

        Args:
            now: Seconds of the sentinel's clock.
        """
        self._tick(now)
        rooms = self._uneasy.union(self._leases.lapsed_rooms(now), self._leases.rescued_rooms())
        for room in rooms:
            if (call := self._calls.get(room)) is not None:
                yield self._view(call, now)

    def wants(self, now: float) -> list[str]:
        """Return the rooms whose participants should be listed, most urgent first.

        Args:
            now: Seconds of the sentinel's clock.
        """
        self._tick(now)
        flows = self._event_at is not None and now - self._event_at <= _EVENTS_FLOW
        return wanted(self._calls.values(), self._leases, now, events_flow=flows)

    def ringing_on(self, now: float) -> list[str]:
        """Return the rooms where a callee's phone rings and the agent has gone.

        Args:
            now: Seconds of the sentinel's clock.
        """
        return ringing_on(self._calls.values(), now)

    def is_overdue(self, room: str, now: float) -> bool:
        """Return whether a caller waits for the first list of their room.

        Args:
            room: Room name.
            now: Seconds of the sentinel's clock.
        """
        call = self._calls.get(room)
        return call is not None and is_overdue(call, now)

    def _view(self, call: TrackedCall, now: float) -> CallView:
        room, leases = call.room, self._leases
        has_words = leases.speaks_of(room)
        return view_of(
            call,
            lease=leases.of(room, now) if has_words else None,
            released=leases.released(room) if has_words else "",
            rescue_until=leases.rescue_until(room) if has_words else None,
            hint=self._hints.of(room, now),
            clock=self._server_ahead,
        )

    def _room_seen(self, seen: RoomSeen, now: float) -> None:
        self._server_clock(seen.created_at, now)
        call = self._lives.of_room(seen, now)
        if call is not None:
            call.describe(seen)
            call.seen = now

    def _others(self, sighting: Sighting, now: float) -> None:
        match sighting:
            case RoomGone(room, sid):
                self._lives.end(room, sid, Tombstone(now, final=True), now)
            case AgentJob():
                self._hints.take(sighting, now)
            case HostLease():
                self._leases.take(sighting, now)

    def _rooms_listed(self, listed: RoomsListed, now: float) -> None:
        before = self._asked
        if before is not None and listed.asked <= before:
            return  # twice, or late: what it shows, a newer one has shown better
        for room in listed.rooms:
            self._server_clock(room.created_at, now)
            call = self._lives.of_room(room, now, asked=listed.asked)
            if call is not None:
                call.describe(room)
                call.seen_in_list(room, listed.asked, now)
        self._asked = self._lives.asked = listed.asked
        for call in [c for c in self._calls.values() if c.polled != listed.asked]:
            if call.seen >= listed.asked:
                continue
            if call.missing_at is None:
                call.missing_at = listed.asked
            else:
                self._lives.end(call.room, call.sid, Tombstone(listed.asked, final=False), now)
        self._leases.prune(self._calls, now)

    def _members_listed(self, listed: MembersListed, now: float) -> None:
        call, asked = self._calls.get(listed.room), listed.asked
        if call is None or asked < call.first_seen:
            return  # it may be of an earlier life of this name
        if call.listed is not None and asked <= call.listed:
            return
        for member in listed.members:
            if self._stays.forbids(member.sid, asked):
                continue
            self._stays.forget(member.sid)
            self._server_clock(member.joined_at, now)
            call.add(self._shared.slim(member), now, asked=asked)
        for sid in call.take_list(asked):
            self._stays.add(sid, Tombstone(asked, final=False), now)
            self._legs.ended(call, sid, LegEnd(asked, told=False))
            call.remove(sid)
        self._refresh(call, now, listed=True)

    def _member_seen(self, seen: MemberSeen, now: float) -> None:
        member = self._shared.slim(seen.member)
        self._event_at = now
        self._server_clock(member.joined_at, now)
        call = self._lives.of_member(seen, now)
        if call is None:
            return
        call.seen = now
        end = self._stays.get(member.sid)
        if end is not None:
            call.was_there(member, end)
        elif call.add(member, now, asked=None):
            for sid in call.twins(member):
                self._stays.add(sid, Tombstone(now, final=False), now)
                self._legs.ended(call, sid, LegEnd(now, "DUPLICATE_IDENTITY", told=False))
                call.remove(sid)
            self._refresh(call, now)

    def _member_gone(self, gone: MemberGone, now: float) -> None:
        self._event_at = now
        call = self._calls.get(gone.room)
        if gone.sid:
            known = self._stays.get(gone.sid)
            self._stays.add(gone.sid, Tombstone(now, final=True, reason=gone.reason), now)
            self._legs.gone(call, gone, now, known)
            if call is None:
                return
            if call.remove(gone.sid, gone.reason):
                self._refresh(call, now)
            elif known is None and call.sid in ("", gone.room_sid):
                call.stranger_gone(gone.sid, now)
        elif call is not None:
            call.relist = True  # whoever that was

    def _track_changed(self, changed: TrackChanged, now: float) -> None:
        self._event_at = now
        call = self._calls.get(changed.room)
        stay = None if call is None else call.stays.get(changed.sid)
        if call is None or stay is None:
            return
        if not changed.published:
            call.relist = True  # of this track or of another one they may still be heard
        elif changed.audible and stay.heard(now):
            call.heard_by_ringing(changed.sid, now)
            leg = stay.member.leg
            if leg.kind is LegKind.CALLER and leg.line is not LineState.ACTIVE:
                call.relist = True  # it may have been answered, which no webhook tells
            self._refresh(call, now)

    def _host_of(self, room: str) -> tuple[str, bool]:
        return self._leases.host_of(room, self._now or 0.0)

    def _ended(self, call: TrackedCall, end: Tombstone) -> None:
        self._legs.life_over(call, end.at)
        room = call.room
        self._uneasy.discard(room)
        self._leases.room_ended(room)
        self._hints.forget(room)

    def _refresh(self, call: TrackedCall, now: float, *, listed: bool = False) -> None:
        call.refresh(now, listed=listed)
        self._legs.seen(call)
        self._note(call)

    def _note(self, call: TrackedCall) -> None:
        """Note whether somebody looks after the caller, as far as is known."""
        if call.alone_since is not None or call.rescue_until is not None:
            self._uneasy.add(call.room)
        else:
            self._uneasy.discard(call.room)

    def _server_clock(self, told: float, now: float) -> None:
        """Take a time of the server's clock, which has passed when it is told."""
        if told and (self._server_ahead is None or told - now > self._server_ahead):
            self._server_ahead = told - now

    def _tick(self, now: float) -> None:
        before, self._now = self._now, now
        if before is not None and now - before > _HELD_UP:
            self._leases.slept(now - before)

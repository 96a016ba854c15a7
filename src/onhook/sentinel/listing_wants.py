"""Which rooms' participants should be listed next: requests are dear, so the urgent ones first."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from onhook.call import Direction
from onhook.sentinel.host_leases import HostLeases
from onhook.sentinel.participant_counts import LAG
from onhook.sentinel.stays import TRUNK
from onhook.sentinel.tracked_call import TrackedCall

__all__ = ["is_overdue", "ringing_on", "wanted"]

_SUSPECT = 1.5
"""Seconds, less than a poll, between two lists of a room whose caller nobody looks after, at first;
see `_EASE`."""
_RINGING_ON = 0.75
"""The same, less than half a poll, while a callee's phone rings and the agent has gone."""
_EASE = 8.0
"""Such a room is listed more rarely the longer that lasts: after this part of its time, once a
callee's phone has stopped ringing."""
_RINGS = 90.0
_TOLD = 0.5
"""Seconds between two lists of a room of which a webhook tells what only a list can explain."""
_REFRESH = 5.0
"""Seconds between two lists of any other room, where no webhooks come."""
_REFRESH_TOLD = 20.0
"""The same, where webhooks come: what they do not tell is that a leg is answered."""
_REFRESH_COVERED = 60.0
"""The same, for a call that its own host looks after."""
_WAITS, _COUNTED_ALONE = 5.0, 12.0
"""Seconds from which on the first list of a room is part of a rescue: whose caller nobody looks
after, or where the server counts one participant and no agent. Longer than a healthy call needs to
have its agent, or to have it counted (`LAG`)."""
_AHEAD = 1.5
"""Seconds before its lease lapses from which on a host is late: then those of its calls are listed
that never were, so that no poll need be waited for when it has lapsed."""


class _Urgency(IntEnum):
    """Why a room is listed, most urgent first.

    Where calls begin faster than lists may be asked for, the last of these are not listed at all,
    and no caller who waits may depend on them.
    """

    ALONE_UNLISTED = 0
    """Nobody looks after its caller, and nothing is judged before a list has shown that."""
    UNKNOWN = 1
    """Never listed, and somebody is in it of whom no webhook has told."""
    DOUBTFUL = 2
    """The server counts others than are known; a list explains that once and for all."""
    ALONE = 3
    """Listed before: webhooks, and the list that confirms a suspicion, tell of a change too."""
    EMPTY = 4
    """Never listed, with nobody in it as far as is known; in the beginning the count is not."""
    ATTENDED = 5
    COVERED = 6
    """Its own host looks after it."""
    SCANNER = 7
    """It came in by no trunk, and nobody has taken it: a flood of these must cost no caller a list.
    Before one is removed its room is listed anyway."""


def wanted(
    calls: Iterable[TrackedCall], leases: HostLeases, now: float, *, events_flow: bool
) -> list[str]:
    """Return the rooms that should be listed, most urgent first.

    First the rooms whose caller nobody seems to look after, whoever waits longest first; last the
    ones in which all seems well, the ones listed longest ago first.

    Args:
        calls: What is tracked.
        leases: Which host answers for which call.
        now: Seconds of the sentinel's clock.
        events_flow: Whether webhooks about participants come.
    """
    lapsed = set(leases.lapsed_rooms(now))
    late = set(leases.lapsed_rooms(now + _AHEAD))
    told = _REFRESH_TOLD if events_flow else _REFRESH
    found: list[tuple[int, float, str]] = []
    for call in calls:
        covered = leases.covers(call.room, now)
        alone = call.alone_since
        overdue = call.rescue_until is not None and now >= call.rescue_until
        suspect = (alone is not None or overdue) and not covered and not call.released
        suspect = suspect or call.room in lapsed
        listed = call.listed
        if listed is None:
            suspect = suspect or call.room in late
            urgency, since = _unlisted(call, now, suspect=suspect, covered=covered)
            found.append((urgency, since, call.room))
            continue
        age = now - listed
        if suspect and _is_scanner(call):
            if age >= told:
                found.append((_Urgency.SCANNER, listed, call.room))
        elif suspect:
            if age >= _pause(call, now):
                found.append((_Urgency.ALONE, listed, call.room))
        elif call.counts.doubtful or call.relist:
            if age >= (_TOLD if call.relist else _SUSPECT):
                found.append((_Urgency.DOUBTFUL, listed, call.room))
        elif age >= (_REFRESH_COVERED if covered and alone is None else told):
            found.append((_Urgency.COVERED if covered else _Urgency.ATTENDED, listed, call.room))
    found.sort()
    return [room for _, _, room in found]


def ringing_on(calls: Iterable[TrackedCall], now: float) -> list[str]:
    """Return the rooms where a callee's phone rings and the agent has gone.

    No webhook tells of an answer, and who answers waits for a word from that moment on: these are
    listed between two polls too.

    Args:
        calls: What is tracked.
        now: Seconds of the sentinel's clock.
    """
    return [call.room for call in calls if _rings_on(call, now)]


def is_overdue(call: TrackedCall, now: float) -> bool:
    """Return whether a caller waits for the first list of their room: nothing is judged before.

    Args:
        call: The call.
        now: Seconds of the sentinel's clock.
    """
    if call.listed is not None or call.released or _is_scanner(call):
        return False
    if call.alone_since is not None:
        return now - call.alone_since >= _WAITS
    alone = call.counts.told == 1 and not call.counts.uncounted_voice and not call.stays
    return alone and now - call.first_seen >= _COUNTED_ALONE


def _pause(call: TrackedCall, now: float) -> float:
    """Return the seconds between two lists of a room whose caller nobody looks after."""
    if call.relist:
        return _TOLD
    if _rings_on(call, now):
        return _RINGING_ON
    alone = call.alone_since
    return _SUSPECT if alone is None else max(_SUSPECT, (now - alone - _RINGS) / _EASE)


def _rings_on(call: TrackedCall, now: float) -> bool:
    alone = call.alone_since
    ringing = call.rang_on and call.ringing_since is not None and not call.released
    return ringing and alone is not None and now - alone < _RINGS


def _unlisted(
    call: TrackedCall, now: float, *, suspect: bool, covered: bool
) -> tuple[_Urgency, float]:
    """Return how urgent a room is that was never listed, and since when."""
    if suspect:
        since = call.first_seen if call.alone_since is None else call.alone_since
        return _Urgency.SCANNER if _is_scanner(call) else _Urgency.ALONE_UNLISTED, since
    if covered:
        return _Urgency.COVERED, call.first_seen
    if call.relist or call.strangers or call.counts.fewer_publishers:  # somebody may have gone
        return _Urgency.UNKNOWN, call.first_seen
    callers = call.call.callers
    attended = callers and (call.agent_was_there or call.call.company)
    if attended or call.counts.uncounted_voice:
        return _Urgency.ATTENDED, call.first_seen
    if callers or call.counts.told or now - call.first_seen <= LAG:
        return _Urgency.UNKNOWN, call.first_seen
    return _Urgency.EMPTY, call.first_seen


def _is_scanner(call: TrackedCall) -> bool:
    """Return whether a call came in by no trunk, and nobody has taken it (`CallView.trunkless`)."""
    if call.visited or call.strangers or call.call.direction is not Direction.INBOUND:
        return False
    return not any(stay.attributes.get(TRUNK) for stay in call.stays.values())

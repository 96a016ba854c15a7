"""Which rooms' participants should be listed next: requests are dear, so the urgent ones first."""

from __future__ import annotations

from collections.abc import Iterable

from onhook.sentinel.call_view import LeaseState
from onhook.sentinel.host_leases import HostLeases
from onhook.sentinel.tracked_call import TrackedCall

__all__ = ["wanted"]

_SUSPECT = 1.5
"""Seconds, less than a poll, between two lists of a room whose caller nobody looks after, at first;
see `_EASE`."""
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


def wanted(
    calls: Iterable[TrackedCall], leases: HostLeases, now: float, *, events_flow: bool
) -> list[str]:
    """Return the rooms that should be listed, most urgent first.

    First the rooms that never were, then those whose caller nobody seems to look after, then those
    in which the server counts others than are known, then the ones listed longest ago.

    Args:
        calls: What is tracked.
        leases: Which host answers for which call.
        now: Seconds of the sentinel's clock.
        events_flow: Whether webhooks about participants come.
    """
    lapsed = set(leases.lapsed_rooms(now))
    told = _REFRESH_TOLD if events_flow else _REFRESH
    found: list[tuple[int, float, str]] = []
    for call in calls:
        listed = call.listed
        if listed is None:
            # a room with a caller in it before one that may be empty
            empty = not call.stays and not call.counts.told
            found.append((1 if empty else 0, call.first_seen, call.room))
            continue
        age = now - listed
        alone = call.alone_since
        lease = leases.of(call.room, now)
        state = LeaseState.NEVER if lease is None else lease.state(now)
        covered = state is LeaseState.COVERED
        overdue = call.rescue_until is not None and now >= call.rescue_until
        suspect = (alone is not None or overdue) and not covered and not call.released
        if suspect or call.room in lapsed:
            least = _SUSPECT if alone is None else max(_SUSPECT, (now - alone - _RINGS) / _EASE)
            if age >= (_TOLD if call.relist else least):
                found.append((2, listed, call.room))
        elif call.counts.doubtful or call.relist:
            if age >= (_TOLD if call.relist else _SUSPECT):
                found.append((3, listed, call.room))
        elif age >= (_REFRESH_COVERED if covered and alone is None else told):
            found.append((5 if covered else 4, listed, call.room))
    found.sort()
    return [room for _, _, room in found]

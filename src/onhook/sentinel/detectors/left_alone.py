"""Calls that are left alone, whatever else is seen of them: one function a reason."""

from __future__ import annotations

from onhook.call import Direction
from onhook.sentinel.call_view import CallView, LeaseState
from onhook.sentinel.limits import Limits

__all__ = [
    "callee_not_answered",
    "has_company",
    "host_covers",
    "is_released",
    "nobody_on_the_line",
    "rescue_under_way",
    "server_still_tries",
    "unknown",
    "unlisted",
]


def nobody_on_the_line(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether no phone's leg is in the room."""
    return not view.call.callers


def is_released(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether the agent has left the call on purpose, and has said so."""
    return bool(view.released)


def unlisted(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether no list has shown the room, or who is in it, yet."""
    return view.polled is None or not view.call.complete


def unknown(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether the last list of rooms is too old to say how things are."""
    return view.polled is None or now - view.polled > limits.stale


def rescue_under_way(view: CallView, now: float, _limits: Limits) -> bool:
    """Return whether an inner ring rescues the call, within its own deadline."""
    return view.rescue_until is not None and now < view.rescue_until


def has_company(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether somebody beside the agent can be heard or can speak."""
    return bool(view.call.company)


def host_covers(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether a host's watchdog answers for the call, and is not overdue itself."""
    if view.lease_state(now) is not LeaseState.COVERED:
        return False
    return view.rescue_until is None or now < view.rescue_until + limits.rescue_overdue_covered


def callee_not_answered(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether we dialled, and nobody has answered."""
    return view.call.direction is Direction.OUTBOUND and view.answered_since is None


def server_still_tries(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether the server has said that it is still looking for an agent."""
    hint = view.hint
    return hint is not None and hint.reason == "RETRYING" and now - hint.at < limits.retrying

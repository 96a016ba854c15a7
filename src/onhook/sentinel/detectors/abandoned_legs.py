"""`call.abandoned_legs`: everybody else has gone, and a phone's leg is left alone."""

from __future__ import annotations

from dataclasses import replace

from onhook.call import LineState
from onhook.faults import Fault
from onhook.policy import TWO_LEGS
from onhook.sentinel.call_view import CallView
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Suspicion

__all__ = ["alone", "judge", "judge_pair", "judge_with_ringing_leg", "pair", "with_ringing_leg"]


def pair(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether two answered legs or more are alone with each other."""
    return view.two_legs_since is not None


def with_ringing_leg(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether a caller was left with a leg that nobody has answered."""
    rings = any(leg.line in (LineState.RINGING, LineState.DIALING) for leg in view.call.callers)
    return view.visited and view.alone_since is not None and len(view.call.callers) > 1 and rings


def alone(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether a caller was left by everybody."""
    return view.visited and view.alone_since is not None


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect a leg that was left alone; asked only where its row applies.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    return _judged(view, view.alone_since, now, limits.abandoned, "a caller was left alone")


def judge_with_ringing_leg(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect a caller who was left with a leg that rings: it has time to be answered.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    limit = None if limits.abandoned is None else limits.unanswered_leg
    what = "a caller was left with a leg that nobody answers"
    return _judged(view, view.alone_since, now, limit, what)


def judge_pair(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect two answered legs, where the plan gives them a limit.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    what = "phones' legs are alone with each other"
    found = _judged(view, view.two_legs_since, now, limits.two_legs, what)
    if found is None:
        return None
    return replace(found, evidence={**found.evidence, TWO_LEGS: f"{limits.two_legs:g} s at most"})


def _judged(
    view: CallView, since: float | None, now: float, limit: float | None, what: str
) -> Suspicion | None:
    if since is None or limit is None or now - since < limit:
        return None
    legs = ", ".join(repr(leg.identity) for leg in view.call.callers)
    by = f" ({view.agent_left_by})" if view.agent_left_by else ""
    left = "" if view.agent_left is None else f"{now - view.agent_left:.1f} s ago{by}"
    evidence = {"alone": f"{now - since:.1f} s", **({"agent left": left} if left else {})}
    detail = f"{what}: {legs}, for {limit:g} s"
    return Suspicion(Fault.CALL_ABANDONED_LEGS, view.room, detail, evidence, since)

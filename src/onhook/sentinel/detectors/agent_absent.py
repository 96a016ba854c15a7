"""`agent.absent`: a caller is on the line, and no agent has ever been there."""

from __future__ import annotations

from onhook.call import Direction
from onhook.faults import Fault
from onhook.sentinel.call_view import CallView
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Suspicion

__all__ = ["applies", "has_no_capacity", "judge"]


def applies(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether a call came in, and nobody has ever taken it."""
    inbound = view.call.direction is Direction.INBOUND
    return inbound and view.no_agent_since is not None and not view.visited


def has_no_capacity(view: CallView) -> bool:
    """Return whether the server has said that no worker can take the call."""
    return view.hint is not None and view.hint.reason == "NO_CAPACITY"


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect a call that no agent has taken in time; asked only where its row applies.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    since = view.no_agent_since
    if limits.absent is None or since is None:
        return None
    full = has_no_capacity(view)
    if not full and now - since < limits.absent:
        return None
    why = "the server has no worker for it" if full else f"no agent came in {limits.absent:g} s"
    line = "rings" if view.ringing_since is not None else "is answered"
    hint = {} if view.hint is None else {"job": view.hint.job, "reason": view.hint.reason}
    return Suspicion(
        Fault.AGENT_ABSENT,
        view.room,
        f"{why}, and the caller's line {line}",
        {"waiting": f"{now - since:.1f} s", "line": line, **hint},
        since,
    )

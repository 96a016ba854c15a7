"""`outbound.late_answer`: a callee answers when the agent has gone."""

from __future__ import annotations

from onhook.call import Direction
from onhook.faults import Fault
from onhook.sentinel.call_view import CallView
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Suspicion

__all__ = ["applies", "judge"]


def applies(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether a callee answered who was seen to ring when the agent was gone already."""
    outbound = view.call.direction is Direction.OUTBOUND
    answered = view.answered_since is not None and view.alone_since is not None
    return outbound and answered and view.rang_on


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect an answer that nobody waits for any more; asked only where its row applies.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    since = view.answered_since
    if since is None or now - since < limits.late_answer:
        return None
    left = "" if view.agent_left is None else f"{now - view.agent_left:.1f} s ago"
    return Suspicion(
        Fault.OUTBOUND_LATE_ANSWER,
        view.room,
        "the callee has answered, and the agent had gone before",
        {"answered": f"{now - since:.1f} s ago", "agent left": left},
        since,
    )

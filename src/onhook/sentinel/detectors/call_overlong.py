"""`call.overlong`: a call has lasted longer than its plan allows."""

from __future__ import annotations

from onhook.faults import Fault
from onhook.sentinel.call_view import CallView
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Suspicion

__all__ = ["applies", "judge"]


def applies(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether a call is over its maximum."""
    since = _since(view)
    return limits.max_call is not None and since is not None and now - since >= limits.max_call


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect a call that is over its maximum.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    since = _since(view)
    if since is None or not applies(view, now, limits):
        return None
    return Suspicion(
        Fault.CALL_OVERLONG,
        view.room,
        f"the call has lasted {now - since:.0f} s; {limits.max_call:g} s are its maximum",
        {"lasted": f"{now - since:.0f} s"},
        since,
    )


def _since(view: CallView) -> float | None:
    """Return since when the call is answered.

    Only of a call that was there before the sentinel may the server's clock tell, and that counts
    from the caller's coming, some seconds before the answer. What the sentinel saw begin, it times
    itself: a server's clock that jumps ends no call.
    """
    since = view.answered_since
    if since is None or view.began_after is not None or view.server_age_since is None:
        return since
    return min(since, view.server_age_since)

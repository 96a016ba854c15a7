"""`rescuer.died`: an inner ring's rescue has passed its own deadline, and the caller is there."""

from __future__ import annotations

from onhook.faults import Fault
from onhook.sentinel.call_view import CallView, LeaseState
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Need, Suspicion

__all__ = ["applies", "judge"]


def applies(view: CallView, now: float, _limits: Limits) -> bool:
    """Return whether a rescue's own deadline has passed."""
    return view.rescue_until is not None and now >= view.rescue_until


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect that whoever rescued the call has died; asked only where its row applies.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    until = view.rescue_until
    covered = view.lease_state(now) is LeaseState.COVERED
    margin = limits.rescue_overdue_covered if covered else limits.rescue_overdue
    if until is None or now - until < margin:
        return None
    return Suspicion(
        Fault.RESCUER_DIED,
        view.room,
        f"a rescue was to end {now - until:.1f} s ago, and the caller is still there",
        {"rescue": view.rescue, "overdue": f"{now - until:.1f} s"},
        until,
        (Need.LISTING, Need.PROBE) if view.agents else (Need.LISTING,),
    )

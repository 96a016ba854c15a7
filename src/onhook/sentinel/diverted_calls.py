"""Calls that come while an outage is switched on: they go straight to their fallback."""

from __future__ import annotations

from onhook.call import Direction
from onhook.faults import Fault
from onhook.outages import Outage
from onhook.sentinel.call_view import CallView
from onhook.sentinel.suspicion import Suspicion

__all__ = ["OUTAGE", "diverted"]

OUTAGE = "outage"
"""The evidence by which such a suspicion is known: a person has said so, and needs no other."""
_MARGIN = 5.0
"""Seconds by which a call may have begun before the outage, as far as clocks can tell."""


def diverted(view: CallView, outage: Outage, now: float, wall: float) -> Suspicion | None:
    """Return what is to be done for a call that came in after an outage was switched on.

    A call that was there before is left to its agent, and so is one that has company.

    Args:
        view: The call.
        outage: The outage that is on for it.
        now: Seconds of the sentinel's clock.
        wall: Seconds since 1970.
    """
    known_from_its_start = view.began_after is not None
    age, outage_age = now - view.first_seen, wall - outage.since
    new = known_from_its_start and age < outage_age + _MARGIN
    inbound = view.call.direction is Direction.INBOUND and view.call.callers
    listed = view.polled is not None and view.call.complete
    others = [leg for leg in view.call.humans if leg.may_speak] or view.call.colleagues
    if not (new and inbound and listed) or others or view.released or view.trunkless:
        return None
    return Suspicion(
        Fault.AGENT_ABSENT,
        view.room,
        f"an outage of {outage.what} was switched on by {outage.by}",
        {OUTAGE: outage.what, "switched on by": outage.by},
        view.first_seen,
    )

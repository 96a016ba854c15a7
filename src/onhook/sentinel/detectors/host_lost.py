"""`host.lost`: the watchdog that answers for a call is late with its lease."""

from __future__ import annotations

from onhook.faults import Fault
from onhook.sentinel.call_view import AgentView, CallView, LeaseState
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Need, Suspicion

__all__ = ["applies", "judge"]

_LOST = "CONNECTION_TIMEOUT"
"""The server's reason for the end of an agent of which nothing has come for 20 s."""


def applies(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether a lease has lapsed, and its agent has not proven since that it lives."""
    lease = view.lease
    if lease is None or view.lease_state(now) is not LeaseState.LAPSED:
        return False
    agent = _agent(view)
    if agent is None:
        return not view.agents
    proven = agent.answered is not None and agent.answered >= lease.until
    return not (proven and agent.answered is not None and now - agent.answered < limits.proof_valid)


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect that a host is gone with its calls; asked only where its row applies.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    lease, due = view.lease, _due(view, limits)
    if lease is None or due is None or now < due:
        return None
    there = _agent(view) is not None
    return Suspicion(
        Fault.HOST_LOST,
        view.room,
        f"the watchdog {lease.host!r}, which answers for this call, has gone silent",
        {
            "host": lease.host,
            "job": lease.job,
            "silent": f"{now - lease.until:.1f} s beyond its lease",
            "agent": "in the room, by the server's books" if there else "gone",
        },
        lease.until,
        (Need.LISTING, Need.PROBE) if there else (Need.LISTING,),
    )


def _due(view: CallView, limits: Limits) -> float | None:
    """Return from when on the host is suspected; `None` for never.

    An agent that has outlived its watchdog, and goes, may hand the caller over; one that has never
    come may be late. Of one that the server itself has lost nothing can be hoped for.
    """
    if view.lease is None:
        return None
    due = view.lease.until + limits.lapsed
    if _agent(view) is not None:
        return due
    gone = view.agent_left is not None
    if gone and view.agent_left_by == _LOST:
        return due
    since, limit = view.no_agent_since, limits.abandoned if gone else limits.absent
    return None if since is None or limit is None else max(due, since + limit)


def _agent(view: CallView) -> AgentView | None:
    """Return the agent that the host answers for, while the server lists it."""
    named = view.lease.agent if view.lease is not None else ""
    return next((agent for agent in view.agents if agent.identity == named), None)

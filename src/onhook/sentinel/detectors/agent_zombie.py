"""`agent.zombie`: an agent that is in the room by the server's books, and dead in fact."""

from __future__ import annotations

from onhook.faults import Fault
from onhook.sentinel.call_view import AgentView, CallView
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Need, Suspicion

__all__ = ["applies", "judge"]

_FRESH = 10.0
"""Seconds for which an unanswered question is evidence."""


def applies(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether an agent is in the room."""
    return bool(view.agents)


def judge(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Suspect an agent that answers no questions; asked only where its row applies.

    A network that is gone for less than `zombie`, and an event loop that is blocked for less than
    `zombie_blocked`, are passing. What the agent tells of itself must not have moved either.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    if limits.zombie is None:
        return None
    mine = [agent for agent in view.agents if agent.identity == view.call.agent]
    agents = mine or list(view.agents)
    if not agents or not all(_is_silent(agent, now, limits) for agent in agents):
        return None
    first = agents[0]
    since = min(agent.unanswered_since or now for agent in agents)
    how = "did not even acknowledge"
    if first.blocked:
        how = "acknowledged and did not answer"
    elif first.absent:
        how = "no server knows it: nobody took"
    return Suspicion(
        Fault.AGENT_ZOMBIE,
        view.room,
        f"{first.identity!r} is listed, and {how} {first.unanswered} questions",
        {
            "questions": str(first.unanswered),
            "silent": f"{now - since:.1f} s",
            "state": first.attributes.get("lk.agent.state", ""),
        },
        since,
        (Need.LISTING, Need.PROBE),
    )


def _is_silent(agent: AgentView, now: float, limits: Limits) -> bool:
    since, asked = agent.unanswered_since, agent.asked
    if limits.zombie is None or since is None or asked is None:
        return False
    if agent.unanswered < limits.zombie_probes or now - asked > _FRESH:
        return False
    if agent.changed > since:
        return False  # it has told something of itself meanwhile
    # one that no server knows may be about to join again, as all do when theirs was restarted
    return now - since >= (
        limits.zombie_blocked if agent.blocked or agent.absent else limits.zombie
    )

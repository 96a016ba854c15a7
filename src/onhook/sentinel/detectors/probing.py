"""Which agents should be asked for a proof of life next, within what may be spent on that."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from onhook.sentinel.call_view import AgentView, CallView
from onhook.sentinel.detectors import agent_zombie
from onhook.sentinel.detectors.table import row_of
from onhook.sentinel.limits import Limits

__all__ = ["ProbeDue", "probes_due"]

_AGAIN = 2.0
"""Seconds between two questions to an agent that has not answered the first."""
_EVERY = 1.0
"""Seconds between two questions to any other agent."""
_SETTLED, _SENDS = 5.0, 1.0
"""Seconds for which an agent that has just come need not be asked: a data channel takes its time to
open. The server lists a voice as published when its packets arrive, and then the way is open."""
_STARTS = 15.0
"""Seconds after which an agent that is still `initializing` is asked before the others."""
_UNANSWERED = 0
"""The greatest urgency."""


@dataclass(frozen=True, slots=True)
class ProbeDue:
    """An agent to be asked.

    Args:
        room: Room name.
        identity: Its identity.
        sid: The server's id of its stay, for `CallTable.probed`.
    """

    room: str
    identity: str
    sid: str


def probes_due(
    views: Iterable[CallView], now: float, limits: Limits, *, most: int, again: int = 0
) -> list[ProbeDue]:
    """Return the agents to be asked now, most urgent first.

    First those that have left a question unanswered, then those that have been starting for long,
    then in rotation whoever was not asked for longest. A call that its own host looks after, or
    that is left alone for another reason, is not probed.

    Args:
        views: The calls.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
        most: How many questions may be asked.
        again: How many may be asked of agents that have left one unanswered, if that is more.
    """
    due: list[tuple[int, float, int, CallView, AgentView]] = []
    for view in views:
        for agent in view.agents:
            urgency = _urgency(agent, now, sends=view.sends(agent.identity))
            if urgency is not None:
                due.append((urgency, agent.asked or agent.since, len(due), view, agent))
    heapq.heapify(due)
    chosen: list[ProbeDue] = []
    while due and len(chosen) < max(most, again if due[0][0] == _UNANSWERED else 0):
        *_, view, agent = heapq.heappop(due)
        # the table of states is asked of those alone whose turn it is
        if row_of(view, now, limits).applies is agent_zombie.applies:
            chosen.append(ProbeDue(view.room, agent.identity, agent.sid))
    return chosen


def _urgency(agent: AgentView, now: float, *, sends: bool) -> int | None:
    if agent.asked is None:
        age = now - agent.since
        if age < (_SENDS if sends else _SETTLED):
            return None
        starts = agent.attributes.get("lk.agent.state") == "initializing"
        return 1 if starts and age >= _STARTS else 2
    if agent.unanswered:
        return _UNANSWERED if now - agent.asked >= _AGAIN else None
    return 2 if now - agent.asked >= _EVERY else None

"""Names of the attributes by which a guard tells of itself, and by which others know an agent."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AGENT_NAME",
    "AGENT_NAMES",
    "GUARD",
    "LADDER",
    "RELEASED",
    "RESCUE",
    "agent_name_of",
]

GUARD = "onhook.guard"
"""On a guarded agent: the version of the onhook that guards it."""

LADDER = "onhook.ladder"
"""On a guarded agent: `Ladder.to_json()` of the ladder for a lost call, if 4 KB or less."""

RESCUE = "onhook.rescue"
"""On a guarded agent whose guard rescues the call now: `INCIDENT;SECONDS`, the latter being how
long that may take from then on. Taken away when the rescue has ended."""

RELEASED = "onhook.released"
"""Why an agent has left its call on purpose: on the agent, and on its callers, who outlive it."""

AGENT_NAME = "lk.agent_name"
"""On every agent: the name under which its worker is registered (livekit-server 1.13,
`agent/worker.go`)."""

AGENT_NAMES = (AGENT_NAME, "lk.agent.name")
"""The same by the server's word, and by that of livekit-agents 1.8 (`types.py`)."""


def agent_name_of(attributes: Mapping[str, str]) -> str:
    """Return the name under which an agent's worker is registered; empty where none is told.

    Args:
        attributes: The agent's.
    """
    return next((attributes[name] for name in AGENT_NAMES if attributes.get(name)), "")

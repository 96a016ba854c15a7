"""Names of the attributes by which a guard tells of itself, and by which others know an agent."""

from __future__ import annotations

__all__ = ["AGENT_NAME", "GUARD", "LADDER", "RELEASED", "RESCUE"]

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
"""On every agent: the name under which its worker is registered (livekit-server 1.13
`agent/worker.go`, livekit-agents `worker.py`)."""

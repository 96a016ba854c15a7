"""Which agents are asked whether they take calls. Without livekit: the command line reads it."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.errors import PolicyError
from onhook.validation import require_seconds, require_text

__all__ = ["SOON", "CanarySettings"]

SOON = 30.0
"""Seconds until the next question after one that was not answered, or could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySettings:
    """Who is asked, and how often.

    Args:
        guarded: Names of agents that onhook guards: nothing of them runs. One whose guard does not
            answer is asked no more.
        unguarded: Names of further agents, whose entrypoints run as for a call without a caller.
        every: Seconds between two questions to one agent.
        bound: Seconds within which an agent must have joined. Below 6 s the server may not list yet
            that a worker has taken the call.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """

    guarded: tuple[str, ...] = ()
    unguarded: tuple[str, ...] = ()
    every: float = 300.0
    bound: float = 10.0

    def __post_init__(self) -> None:
        require_seconds("CanarySettings", "every", self.every)
        require_seconds("CanarySettings", "bound", self.bound)
        if self.every < SOON + self.bound:
            raise PolicyError(
                f"CanarySettings(every={self.every!r}): give at least {SOON + self.bound:g} s"
            )
        for name in self.agents:
            require_text("CanarySettings", "guarded or unguarded", name, "an agent's name")
        if len(set(self.agents)) != len(self.agents):
            raise PolicyError(f"CanarySettings: {self.agents!r}: name each agent once")

    @property
    def agents(self) -> tuple[str, ...]:
        """All that are asked."""
        return (*self.guarded, *self.unguarded)

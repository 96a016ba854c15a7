"""How long a silence may last, and how bad it is when it lasts longer: pure, without a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onhook.faults import Severity
from onhook.policy import Policy

__all__ = ["Silence", "SilenceLimits"]


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which the caller waits and hears nothing.

    Args:
        since: When it began, in seconds of a monotonic clock.
        kind: `"turn"` an answer or more of it is due; `"deaf"` the caller was not understood;
            `"entry"` a new agent has not said a word yet.
        tools: Whether one of the turn's tools still runs.
        told: Whether the caller has heard the agent in this turn.
        certain: Whether the agent is known to be at fault; noise alone ends no call.
    """

    since: float
    kind: Literal["turn", "deaf", "entry"] = "turn"
    tools: bool = False
    told: bool = False
    certain: bool = True


class SilenceLimits:
    """The limits of one session's silences.

    Args:
        policy: `dead_air` and `tool_limit`.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._warned: float | None = None
        self._warned_at = 0.0
        self._holds: dict[object, float] = {}

    def until(self, silence: Silence) -> float:
        """Return when a silence has lasted too long: infinity for never."""
        dead_air = self._policy.dead_air
        if dead_air is None:
            return float("inf")
        return max((self._until(silence, dead_air), *self._holds.values()))

    def _until(self, silence: Silence, dead_air: float) -> float:
        waits_for_a_tool = silence.tools and silence.told
        limit = max(dead_air, self._policy.tool_limit) if waits_for_a_tool else dead_air
        if self._warned is None:
            return silence.since + limit
        if not silence.certain:
            return float("inf")
        if silence.tools:
            end = silence.since + max(2 * limit, self._policy.tool_limit)
        else:
            end = silence.since + limit * (2 if self._warned == silence.since else 1)
        return max(end, self._warned_at + dead_air)

    def exhausted(self, silence: Silence, at: float) -> Severity:
        """Grade a silence that has lasted too long: the first is a warning, the next is the end.

        Args:
            silence: The silence.
            at: Now, in seconds of the monotonic clock.
        """
        severity = Severity.IMPAIRED if self._warned is None else Severity.LOST
        self._warned, self._warned_at = silence.since, at
        return severity

    def heard(self) -> None:
        """The agent was heard: the next silence is a first one again."""
        self._warned = None

    def hold(self, key: object, until: float) -> None:
        """Let no silence be too long before a moment, for as long as the key is held.

        Args:
            key: Who holds.
            until: Seconds of the monotonic clock.
        """
        self._holds[key] = until

    def let_go(self, key: object) -> None:
        """End a hold; safe to repeat."""
        self._holds.pop(key, None)

"""What the records of some hours or days sum up to, by number or by agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["By", "RecordSum"]

By: TypeAlias = Literal["number", "agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSum:
    """The calls of one number or agent.

    Args:
        key: The project's number, whole, or the agent's name; empty where none was told.
        calls: How many there were.
        silent_calls: In how many the caller had dead air because of a fault, or rang where no agent
            was.
        dead_seconds: Seconds of dead air in all of them.
        rescued: Calls with a fault that onhook brought to an end: the caller was transferred, given
            to somebody living, released with words, or their agent spoke again. It is a count
            of what was done; how long these callers would have waited otherwise, nobody
            knows.
    """

    key: str
    calls: int
    silent_calls: int
    dead_seconds: float
    rescued: int

    @property
    def silent_rate(self) -> float:
        """The part of the calls that was silent, from 0 to 1."""
        return self.silent_calls / self.calls if self.calls else 0.0

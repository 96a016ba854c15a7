"""What the server tells of agents' jobs, where it does (LiveKit Cloud): the latest word a room."""

from __future__ import annotations

from onhook.sentinel.call_view import JobHint
from onhook.sentinel.sightings import AgentJob

__all__ = ["JobHints"]

_KEEP = 60.0
_MOST = 5_000
_STATES = ("pending", "started", "ended")
_REASONS = ("", "RETRYING", "NO_CAPACITY")
"""Of two words on one job in one state the later in this order counts, in whatever order they come:
the server gives up after it has tried, not before."""


class JobHints:
    """A bounded memory of the server's words on jobs."""

    def __init__(self) -> None:
        self._hints: dict[str, JobHint] = {}

    def take(self, word: AgentJob, now: float) -> None:
        """Take a word.

        Args:
            word: It.
            now: When it came, in seconds of the sentinel's clock.
        """
        known = self._hints.get(word.room)
        hint = JobHint(word.job, word.agent_name, word.state, word.reason, now)
        if known is not None and known.job == word.job and _rank(hint) <= _rank(known):
            return
        self._hints.pop(word.room, None)
        self._hints[word.room] = hint
        while len(self._hints) > _MOST:
            del self._hints[next(iter(self._hints))]

    def of(self, room: str, now: float) -> JobHint | None:
        """Return the latest word on a room's job, while it is fresh.

        Args:
            room: Room name.
            now: Seconds of the sentinel's clock.
        """
        hint = self._hints.get(room)
        if hint is not None and now - hint.at > _KEEP:
            del self._hints[room]
            return None
        return hint

    def forget(self, room: str) -> None:
        """Forget what was said of a room's jobs: its life is over."""
        self._hints.pop(room, None)


def _rank(hint: JobHint) -> tuple[int, int]:
    state = _STATES.index(hint.state) if hint.state in _STATES else -1
    reason = _REASONS.index(hint.reason) if hint.reason in _REASONS else 0
    return state, reason

"""Where one guarded job stands: a phase at a time, changed in one place."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["JobPhase", "JobState"]


class JobPhase(StrEnum):
    """What may still be done about a job's call."""

    SETTING_UP = "setting up"
    """The agent was not heard yet."""
    LIVE = "live"
    """The agent is up, and what it owes the caller is judged."""
    LOOKING = "looking"
    """A cause was noticed: who is on the line, and is anybody harmed by it?"""
    RESCUING = "rescuing"
    """The call's one incident is being seen to its outcome."""
    RESCUED = "rescued"
    """The call was judged lost, and has its outcome. Only the job's end is left."""
    BROKEN = "broken"
    """The last rescue ended by an error of ours: the next cause, or the watchdog, tries again."""
    RELEASED = "released"
    """The agent has left the call on purpose: it is left alone."""
    ENDED = "ended"
    """The job has ended, and what was to be done for its caller was tried."""


_P = JobPhase
_NEXT: Mapping[JobPhase, frozenset[JobPhase]] = {
    _P.SETTING_UP: frozenset((_P.LIVE, _P.LOOKING, _P.RELEASED)),
    _P.LIVE: frozenset((_P.LOOKING, _P.RELEASED)),
    _P.LOOKING: frozenset((_P.SETTING_UP, _P.LIVE, _P.RESCUING, _P.BROKEN, _P.RELEASED)),
    _P.RESCUING: frozenset((_P.SETTING_UP, _P.LIVE, _P.RESCUED, _P.BROKEN, _P.RELEASED)),
    _P.RESCUED: frozenset(),
    _P.BROKEN: frozenset((_P.LIVE, _P.LOOKING, _P.RELEASED)),
    _P.RELEASED: frozenset(),
    _P.ENDED: frozenset(),
}
"""Which phase may follow which; ENDED may follow each. LOOKING and RESCUING go back to the phase
before them where nobody was harmed, or where the agent itself came back."""


class JobState:
    """The phase of one job. Whoever changes it says what happened, and not which phase is next."""

    def __init__(self) -> None:
        self.phase = JobPhase.SETTING_UP
        self.released = ""
        """Why the agent has released the call; empty while it has not."""
        self._before = JobPhase.SETTING_UP

    @property
    def lost(self) -> bool:
        """Whether the call is being rescued, or was."""
        return self.phase in (JobPhase.LOOKING, JobPhase.RESCUING, JobPhase.RESCUED)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to watch for."""
        return self.lost or self.phase is JobPhase.ENDED or bool(self.released)

    @property
    def why_over(self) -> str:
        """Why there is nothing left to watch for, in one sentence; empty while there is."""
        if self.released:
            return f"The agent has released the call: {self.released}."
        return "The call was judged lost, and is judged no further." if self.lost else ""

    def came_up(self) -> None:
        """The agent can be heard."""
        if self.phase in (JobPhase.SETTING_UP, JobPhase.BROKEN):
            self._enter(JobPhase.LIVE)

    def cause_noticed(self) -> None:
        """A cause is looked into."""
        if self.phase is not JobPhase.BROKEN:
            self._before = self.phase
        self._enter(JobPhase.LOOKING)

    def incident_opened(self) -> None:
        """A caller is harmed by it."""
        self._enter(JobPhase.RESCUING)

    def rescue_ended(self, *, recovered: bool) -> None:
        """A cause was seen to its end.

        Args:
            recovered: Whether the agent itself came back by it: a later cause opens an incident
                again, as it does where nobody was harmed.
        """
        if self.phase is JobPhase.RESCUING and not recovered:
            self._enter(JobPhase.RESCUED)
        else:
            self._enter(JobPhase.RELEASED if self.released else self._before)

    def rescue_broke(self) -> None:
        """A rescue ended by an error of ours, and without an outcome."""
        self._enter(JobPhase.BROKEN)

    def release(self, reason: str) -> None:
        """The agent leaves the call on purpose; a rescue that is under way is seen to its end.

        Args:
            reason: Why.
        """
        self.released = reason
        if self.phase in (JobPhase.SETTING_UP, JobPhase.LIVE, JobPhase.BROKEN):
            self._enter(JobPhase.RELEASED)

    def end(self) -> None:
        """The job has ended, whatever became of its caller."""
        self.phase = JobPhase.ENDED

    def _enter(self, phase: JobPhase) -> None:
        if phase not in _NEXT[self.phase]:
            raise RuntimeError(f"a job that is {self.phase} cannot become {phase}")
        self.phase = phase

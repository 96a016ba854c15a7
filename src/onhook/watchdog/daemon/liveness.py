"""When is a job dead, and when does it only look so? Pure: every moment is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from onhook.livekit.proof import Proof
from onhook.watchdog.protocol.job_policy import JobPolicy

__all__ = ["BEAT", "PROBE", "TICK", "Naps", "Pulse", "Verdict", "judge", "patience"]

BEAT = 0.5
"""Seconds between the beats of a job."""
TICK = 0.25
"""Seconds between two looks of the watchdog at all its jobs."""
PROBE = 0.6
"""Seconds that a job gets to answer a proof of life; from a healthy one it takes 8 ms."""

_SUSPECT = 1.75
"""Seconds without a beat after which a job is asked through the room: three beats are missing."""
_BLOCKED = 2.9
"""Seconds without a beat before which no loop is called blocked. One that is blocked for 2 s, which
happens to sound applications, is silent for at most 2.5 s."""
_PROBES = 2
"""Questions that must stay unanswered: a single one proves nothing."""
_NAP = 1.0
"""Seconds by which the watchdog itself must be late to conclude that it was not running either."""
_SETUP = 20.0
_SETTING_UP = 0.5


@dataclass(slots=True)
class Pulse:
    """The beats of one job.

    Args:
        last: When the last one came, on the watchdog's clock.
        proofs: What the room said since.
    """

    last: float
    proofs: list[Proof] = field(default_factory=list)

    def beat(self, now: float) -> None:
        """A sign of life."""
        self.last = now
        if self.proofs:
            self.proofs.clear()

    def silent_for(self, now: float) -> float:
        """Return the seconds since the last one."""
        return now - self.last

    def suspect(self, now: float) -> bool:
        """Return whether it is time to ask through the room."""
        return now - self.last >= _SUSPECT


class Naps:
    """Notices that the watchdog itself was stopped, as everything else may have been.

    Args:
        now: The watchdog's clock.
    """

    def __init__(self, now: float) -> None:
        self._last = now

    def slept(self, now: float) -> bool:
        """Return whether the time since the last look is longer than a look can be late."""
        late = now - self._last > TICK + _NAP
        self._last = now
        return late


class Verdict(Enum):
    """What is known of a job whose beats have stopped."""

    ALIVE = "alive"
    UNSURE = "unsure"
    BLOCKED = "blocked"
    """Its loop stands still; it may come back."""
    HUNG = "hung"
    """It has stood still for longer than anybody should wait."""


def patience(policy: JobPolicy, *, up: bool) -> float:
    """Return the seconds after which a job that shows no sign of life is hung.

    Args:
        policy: The job's.
        up: Whether its agent could be heard already. Before that it is being set up: models are
            loaded, often in the event loop, while the caller hears the line ring.
    """
    limit = max(_BLOCKED, policy.hang_limit)
    if up:
        return limit
    return max(limit, (_SETUP if policy.setup is None else policy.setup) + _SETTING_UP)


def judge(pulse: Pulse, now: float, *, limit: float, up: bool = True) -> Verdict:
    """Decide about a job whose beats have stopped.

    It takes two kinds of evidence that do not depend on each other: no beat came by the socket,
    and no answer through the room, or the server has lost sight of it.

    Args:
        pulse: Its beats, and what the room said since the last one.
        now: The watchdog's clock.
        limit: Seconds for which it may show no sign of life (`patience`).
        up: Whether its agent could be heard already.
    """
    silent, proofs = pulse.silent_for(now), pulse.proofs
    if Proof.ALIVE in proofs:
        return Verdict.ALIVE
    if silent < _BLOCKED or not proofs:
        return Verdict.UNSURE
    unanswered = _unanswered(proofs) >= _PROBES
    if silent >= limit and (unanswered or proofs[-1] is Proof.ABSENT):
        return Verdict.HUNG
    return Verdict.BLOCKED if unanswered and up else Verdict.UNSURE


def _unanswered(proofs: Sequence[Proof]) -> int:
    """Count the newest questions that were delivered and not answered."""
    count = 0
    for proof in reversed(proofs):
        if proof is not Proof.SILENT:
            break
        count += 1
    return count

"""What one call of the demonstration was like for its caller."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.bench.phone import Hearing
from onhook.bench.phone.codec import Samples

__all__ = ["DemoResult", "Heard"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a caller heard; times are seconds of the monotonic clock.

    Args:
        dialled_at: When the call was placed.
        answered_at: When it was answered.
        ended_at: When it ended.
        hung_up: Whether the caller gave up; else the line was released.
        hearing: Sound and silence from the answer to the end.
        audio: The samples, from `hearing.begin` on.
    """

    dialled_at: float
    answered_at: float
    ended_at: float
    hung_up: bool
    hearing: Hearing
    audio: Samples


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One call.

    Args:
        name: What stood between the failure and the caller.
        heard: What the caller heard.
        fault_at: When the agent failed, on the same clock.
        note: Anything else worth a word, for example who stayed in the room.
    """

    name: str
    heard: Heard
    fault_at: float
    note: str = ""

    @property
    def answered_after(self) -> float:
        """Seconds from dialling to the answer."""
        return self.heard.answered_at - self.heard.dialled_at

    @property
    def fails_after(self) -> float:
        """Seconds from the answer to the failure."""
        return self.fault_at - self.heard.answered_at

    @property
    def silence(self) -> float:
        """Seconds of silence that the caller heard after the failure."""
        after = (s for s in self.heard.hearing.stretches if not s.audible)
        return sum(max(0.0, s.end - max(s.start, self.fault_at)) for s in after)

    @property
    def rescue_after(self) -> float | None:
        """Seconds from the failure to the first words after it, or `None`."""
        at = self.heard.hearing.first_sound(self.fault_at)
        return None if at is None else at - self.fault_at

    @property
    def released_after(self) -> float | None:
        """Seconds from the failure to the end of the line, or `None` when the caller gave up."""
        return None if self.heard.hung_up else self.heard.ended_at - self.fault_at

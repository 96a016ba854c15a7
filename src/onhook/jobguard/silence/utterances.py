"""What the caller says, measured on the phone's own track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Utterance", "VoiceListener"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of the caller's voice.

    Args:
        began: When it began, in seconds of the job's monotonic clock.
        ended: When its last voiced frame was.
        voiced: Seconds of it that were voice.
        level: How loud they were, in dBFS (root mean square); `None` where nobody measured it.
    """

    began: float
    ended: float
    voiced: float
    level: float | None = None


class VoiceListener(Protocol):
    """Is told of the caller's voice."""

    def caller_voice(self, at: float, *, speaking: bool) -> None:
        """The caller's voice has begun, or is over."""
        ...

    def caller_said(self, utterance: Utterance) -> None:
        """An utterance is over."""
        ...

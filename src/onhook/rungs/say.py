"""`Say`: tell the caller what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from onhook.errors import PolicyError
from onhook.faults import Severity
from onhook.incident import Ending
from onhook.line import Announcement
from onhook.rungs.base import Climb
from onhook.validation import require_seconds, require_text

__all__ = ["APOLOGY", "ONE_MOMENT", "TIME_LIMIT", "Say"]

APOLOGY = "I'm sorry, we have a technical problem. Please call again later."
"""The words of the built-in prompt."""
ONE_MOMENT = "One moment please."
"""The words of the built-in prompt for a turn that failed."""
TIME_LIMIT = "This call has reached its time limit. Goodbye."
"""The words of the built-in prompt for a call that has lasted too long."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak to the caller on a track of its own, independent of the broken session.

    The audio is, in this order: the given file; the cached rendering of the text; the given TTS
    within its deadline; the built-in prompt. A failure never blocks the rungs below.

    Args:
        text: The words.
        audio: A WAV file to play as it is: mono, 16 bit, 8 to 48 kHz.
        tts: A livekit-agents TTS, or a callable without arguments that makes one. Not part of the
            ladder's JSON.
        tts_deadline: Seconds that the TTS gets for the whole text.
        start_deadline: Seconds until the words must be on the line; three times as many where the
            server is slow in all that it does.
        deadline: Seconds for everything, the words included.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
    """

    name: ClassVar[str] = "say"
    terminal: ClassVar[bool] = False
    settles: ClassVar[Ending | None] = None

    text: str = APOLOGY
    _: KW_ONLY
    audio: Path | str | None = None
    tts: Callable[[], Any] | Any | None = field(default=None, repr=False)
    tts_deadline: float = 1.5
    start_deadline: float = 3.0
    deadline: float = 20.0

    def __post_init__(self) -> None:
        require_text("Say", "text", self.text, "the words to say")
        if self.audio is not None and not isinstance(self.audio, str | Path):
            raise PolicyError(f"Say(audio={self.audio!r}): give the path of a WAV file")
        if self.tts is not None and not (callable(self.tts) or hasattr(self.tts, "synthesize")):
            raise PolicyError(
                f"Say(tts={self.tts!r}): give a livekit-agents TTS, or a function that makes one"
            )
        for name in ("tts_deadline", "start_deadline", "deadline"):
            require_seconds("Say", name, getattr(self, name))

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`."""
        source = await climb.line.say(
            Announcement(
                self.text,
                Path(self.audio) if self.audio is not None else None,
                self.tts,
                self.tts_deadline,
                self.start_deadline,
                gentle=climb.incident.severity is Severity.IMPAIRED,
                heard=climb.heard,
            )
        )
        return f"said {self.text!r} ({source})"

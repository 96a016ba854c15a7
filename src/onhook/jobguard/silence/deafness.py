"""Has the caller spoken without being understood, and how much? Pure, told of every time."""

from __future__ import annotations

__all__ = ["Deafness"]

_SPOKEN = 1.5
"""Seconds of speech without a transcript that cannot be a cough: worth a soft word."""
_SPOKEN_OFTEN = 4.0
"""Seconds, in two utterances or more, that show a deaf agent; noise alone must not end a call."""


class Deafness:
    """Adds up the speech that voice activity detection heard and no transcript followed.

    Speech into the agent's own does not count: sessions may discard it (livekit-agents
    `discard_audio_if_uninterruptible`). All times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._seconds = 0.0
        self._utterances = 0
        self._failed = False
        self.since: float | None = None
        """When the speech ended that nobody has understood."""

    def caller_speaks(self, at: float, *, into_the_agent: bool) -> None:
        """The caller has begun to speak."""
        self._began = None if into_the_agent else at

    def caller_is_quiet(self, at: float) -> None:
        """The caller has stopped speaking."""
        if self._began is not None:
            self._seconds += at - self._began
            self._utterances += 1
            self._began, self.since = None, at

    def understood(self) -> None:
        """A transcript came, interim or final: somebody listens."""
        self._seconds, self._utterances = 0.0, 0
        self._failed = False
        self._began = self.since = None

    def recognition_failed(self) -> None:
        """The speech recognition reported an error, which it may or may not survive."""
        self._failed = True

    @property
    def suspected(self) -> bool:
        """Whether the caller has said something that nobody understood."""
        return self.since is not None and self._seconds >= _SPOKEN

    @property
    def certain(self) -> bool:
        """Whether it was so much, or with such signs, that the agent must be deaf."""
        often = self._seconds >= _SPOKEN_OFTEN and self._utterances > 1
        return self.suspected and (often or self._failed)

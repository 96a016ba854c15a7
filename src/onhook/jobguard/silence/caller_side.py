"""The caller's half of a conversation: their voice, as our ears and the session's tell of it."""

from __future__ import annotations

from onhook.jobguard.silence.utterances import Utterance

__all__ = ["A_SENTENCE", "NEVER", "CallerSide"]

NEVER = float("-inf")
"""The time of what has not happened yet."""

A_SENTENCE = 1.2
"""Seconds of voice that are a sentence: with it a call may end, as it may not by noise."""
_SOMETHING = 1.0
"""Seconds of the caller's voice that are no cough and no murmur: worth soft words."""
_OVERLAP = 0.3
"""Seconds by which a caller may begin to speak into the agent's last sound."""
_FAINT = -42.0
"""dBFS below which a voice is nobody's who speaks into a telephone; speech has -26 (ITU-T P.56)."""
_BEHIND = 12.0
"""Decibels by which a voice in the background, a television, is below the caller's own."""


class CallerSide:
    """What the caller has said, and how much of it is owed an answer.

    All times are seconds of the job's monotonic clock.
    """

    def __init__(self) -> None:
        self.speaks_since = NEVER
        """Since when they speak, or when they last began to."""
        self.quiet_at = 0.0
        """When their last word was over."""
        self.understood_at = NEVER
        """When the session last had a transcript of something, or took a turn."""
        self.sentences = 0
        """How many sentences they have said since the agent was heard."""
        self.unanswered: Utterance | None = None
        """The first thing worth an answer that they have said since then."""
        self._heard_by: set[str] = set()
        self._ears = False
        self._level = self._own_level = NEVER

    @property
    def speaks(self) -> bool:
        """Whether their voice is heard now."""
        return bool(self._heard_by)

    def voice(self, at: float, *, speaking: bool, by: str) -> None:
        """Their voice has begun, or is over.

        Args:
            at: When.
            speaking: Which of the two.
            by: Whose ears: `"ears"` on the phone's track, or the `"session"`'s own.
        """
        if speaking:
            if not self._heard_by:
                self.speaks_since = at
            self._heard_by.add(by)
            self._ears = self._ears or by == "ears"
        else:
            self._heard_by.discard(by)
            self.quiet_at = max(self.quiet_at, at)

    def said(self, utterance: Utterance, *, agent_heard_until: float, answered: bool) -> bool:
        """An utterance is over; return whether it was said to the agent, and into its silence.

        Args:
            utterance: What was said.
            agent_heard_until: Until when the agent was heard.
            answered: Whether what they said before has been answered.
        """
        self.quiet_at = max(self.quiet_at, utterance.ended)
        if utterance.level is None and self._ears:
            return False  # the session's: it takes the pause after a murmur for a part of it
        if utterance.began < agent_heard_until - _OVERLAP or self._is_behind(utterance):
            return False
        self.sentences += utterance.voiced >= A_SENTENCE
        if utterance.voiced >= _SOMETHING and answered:
            self.unanswered = utterance
        return True

    def is_understood(self, at: float) -> None:
        """The session has understood them: that voice is the caller's own."""
        self.understood_at = at
        self._own_level = self._level

    def is_answered(self) -> None:
        """The agent is heard."""
        self.sentences = 0
        self.unanswered = None

    def is_recognised(self) -> None:
        """The agent answers what they said: that voice is the caller's own."""
        self._own_level = self._level

    def _is_behind(self, utterance: Utterance) -> bool:
        """Return whether a voice is too faint to be the caller's: another's, a television's."""
        if utterance.level is None:
            return False
        behind = utterance.level < max(_FAINT, self._own_level - _BEHIND)
        self._level = self._level if behind else utterance.level
        return behind

"""Whose turn it is, and since when the caller hears nothing: pure, told of every time."""

from __future__ import annotations

__all__ = ["Turns"]


class Turns:
    """Keeps the turns of one conversation, from what the session and the meter tell.

    Silence counts while the caller waits: they have said something that was understood and the
    agent has not been heard since, or the agent has begun to speak and stopped in the middle, or it
    is at work on something more to say. A caller who is silent on a healthy line waits for nobody.

    All times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._speaking = False
        self._quiet_at: float | None = None
        self._asked_at: float | None = None
        self._sent_until = 0.0
        self._heard_until = 0.0
        self._open_since: float | None = None
        self._open_heard = False
        self._paused_at: float | None = None
        self._working_since: float | None = None

    def caller_speaks(self, at: float) -> None:
        """The caller has begun to speak."""
        self._speaking, self._quiet_at = True, None

    def caller_is_quiet(self, at: float) -> None:
        """The caller has stopped speaking."""
        if self._speaking:
            self._speaking, self._quiet_at = False, at

    def caller_asked(self, at: float) -> None:
        """What the caller said was understood, or should have been: an answer is due."""
        self._asked_at = at

    def caller_is_told(self, until: float) -> None:
        """The caller was told on another track to be patient: until then they heard that."""
        self._asked_at = self._open_since = None
        self._heard_until = max(until, self._heard_until)

    def caller_was_held(self, until: float) -> None:
        """Until then the caller knew why it was silent; what is due is due from then on."""
        self._heard_until = max(until, self._heard_until)

    def agent_works(self, at: float) -> None:
        """The agent has begun something that is to be heard, or goes on to its next step."""
        self._working_since = at

    def agent_rests(self) -> None:
        """The agent has nothing more to do."""
        self._working_since = None

    def agent_sends(self, at: float, seconds: float, *, audible: bool) -> None:
        """The agent has sent a stretch of audio, which is played after what it sent before."""
        if self._open_since is None:
            self._open_since, self._open_heard = at, False
        self._open_heard = self._open_heard or audible
        self._sent_until = max(at, self._sent_until) + seconds
        if audible:
            self._asked_at = None
            self._heard_until = self._sent_until

    def agent_is_done(self) -> None:
        """Everything that the agent has to say now has been sent."""
        self._open_since = None

    def agent_is_cut_off(self, at: float) -> None:
        """What was sent and not played yet is thrown away, as by an interruption."""
        self._open_since = self._paused_at = None
        self._sent_until = min(at, self._sent_until)
        self._heard_until = min(at, self._heard_until)

    def agent_pauses(self, at: float) -> None:
        """Playing stops for a moment; nothing is thrown away."""
        if self._paused_at is None:
            self._paused_at = at

    def agent_resumes(self, at: float) -> None:
        """Playing goes on where it stopped."""
        if self._paused_at is not None:
            late = at - self._paused_at
            self._sent_until += late
            self._heard_until += late
            self._paused_at = None

    @property
    def asked(self) -> bool:
        """Whether the caller has asked something and heard nothing since."""
        return self._asked_at is not None

    @property
    def sending(self) -> bool:
        """Whether the agent has begun to send, audibly or not, and has not come to an end."""
        return self._open_since is not None

    @property
    def cut_short(self) -> bool:
        """Whether the agent has begun to speak audibly and its words are not complete."""
        return self._open_since is not None and self._open_heard

    @property
    def heard_until(self) -> float:
        """Until when the caller hears, or heard, the agent; 0 for never."""
        return self._heard_until

    @property
    def quiet_since(self) -> float | None:
        """Since when neither of the two is heard; `None` while the caller speaks."""
        if self._speaking or self._paused_at is not None:
            return None
        return max(self._heard_until, self._quiet_at or 0.0)

    @property
    def silent_since(self) -> float | None:
        """Since when the caller waits and hears nothing; in the future while audio still plays."""
        if self.quiet_since is None:
            return None
        if self._open_since is not None:
            return max(self._open_since, self._heard_until, self._quiet_at or 0.0)
        if self._asked_at is not None:
            began = self._asked_at if self._quiet_at is None else self._quiet_at
            return max(began, self._heard_until)
        if self._working_since is not None:
            return max(self._working_since, self._heard_until, self._quiet_at or 0.0)
        return None

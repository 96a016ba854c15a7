"""What the agent really sends, as the caller hears it: pure, told of every time."""

from __future__ import annotations

__all__ = ["AgentAudio"]


class AgentAudio:
    """Adds up the frames that a session sends. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._sent_until = 0.0
        self._heard_until = 0.0
        self._open_since: float | None = None
        self._open_heard = False
        self._paused_at: float | None = None
        self.frames_at = float("-inf")
        """When a frame was sent last, audible or not."""

    def sends(self, at: float, seconds: float, *, audible: bool) -> None:
        """A stretch of audio is played after what was sent before."""
        if self._open_since is None:
            self._open_since, self._open_heard = at, False
        self._open_heard = self._open_heard or audible
        self._sent_until = max(at, self._sent_until) + seconds
        self.frames_at = at
        if audible:
            self._heard_until = self._sent_until

    def is_done(self) -> None:
        """Everything that the agent has to say now has been sent."""
        self._open_since = None

    def is_cut_off(self, at: float) -> None:
        """What was sent and not played yet is thrown away, as by an interruption."""
        self._open_since = self._paused_at = None
        self._sent_until = min(at, self._sent_until)
        self._heard_until = min(at, self._heard_until)

    def pauses(self, at: float) -> None:
        """Playing stops for a moment; nothing is thrown away."""
        if self._paused_at is None:
            self._paused_at = at

    def resumes(self, at: float) -> None:
        """Playing goes on where it stopped."""
        if self._paused_at is not None:
            late = at - self._paused_at
            if self._sent_until > self._paused_at:
                self._sent_until += late
            if self._heard_until > self._paused_at:
                self._heard_until += late
            self._paused_at = None

    def something_else_is_heard(self, until: float) -> None:
        """The caller hears something on another track, and that is as good."""
        self._open_since = None
        self._heard_until = max(until, self._heard_until)

    @property
    def heard_until(self) -> float:
        """Until when the caller hears, or heard, the agent; 0 for never."""
        if self._paused_at is not None:
            return min(self._heard_until, self._paused_at)
        return self._heard_until

    @property
    def broken_off_at(self) -> float | None:
        """When words that had begun, and are not complete, stopped being heard."""
        if self._paused_at is not None and (self._open_since or self._sent_until > self._paused_at):
            return self._paused_at
        return self._heard_until if self._open_since is not None and self._open_heard else None

    @property
    def sending(self) -> bool:
        """Whether the agent has begun to send, audibly or not, and has not come to an end."""
        return self._open_since is not None

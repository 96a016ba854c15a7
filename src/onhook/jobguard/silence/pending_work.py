"""What a session is at work on: speeches that are not over, tools that run, a model that thinks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.events import ToolCallEnded, ToolCallStarted

from onhook.jobguard.silence.turns import Turns

__all__ = ["PendingWork"]


class SpeechIsOver(Protocol):
    """Is told that a speech has ended, and was not interrupted."""

    def __call__(self, began: float, *, said: bool) -> None:
        """Take note.

        Args:
            began: When it was created.
            said: Whether its words were given, and not left to a model.
        """


class PendingWork:
    """Tells the turns when the agent begins, goes on with and ends its work.

    Args:
        turns: The turns of the conversation.
        clock: Seconds of a monotonic clock.
        speech_is_over: Is told of every speech that has ended without an interruption.
    """

    def __init__(
        self, turns: Turns, clock: Callable[[], float], speech_is_over: SpeechIsOver
    ) -> None:
        self._turns = turns
        self._clock = clock
        self._speech_is_over = speech_is_over
        self._speeches: set[SpeechHandle] = set()
        self._thinking = False
        self.tools: dict[str, str] = {}
        """The tools that run: call id to name."""

    @property
    def speaking(self) -> bool:
        """Whether a speech is being made or spoken."""
        return bool(self._speeches)

    def speech_began(self, speech: SpeechHandle, *, said: bool) -> None:
        """A speech was created; it need not be heard yet.

        Args:
            speech: Its handle.
            said: Whether its words were given, and not left to a model.
        """
        if speech.done() or speech in self._speeches:
            return
        began = self._clock()
        self._speeches.add(speech)

        def over(handle: SpeechHandle) -> None:
            if handle not in self._speeches:
                return
            self.forget(handle)
            if not handle.interrupted:
                self._speech_is_over(began, said=said)

        speech.add_done_callback(over)
        self._go_on(next_step=True)

    def forget(self, speech: SpeechHandle) -> None:
        """A speech is over, or is not to be waited for any more."""
        self._speeches.discard(speech)
        self._go_on(next_step=False)

    def forget_all(self) -> None:
        """Wait for nothing that is under way now."""
        self._speeches.clear()
        self.tools.clear()
        self._thinking = False
        self._turns.agent_rests()

    def thinks(self, *, thinking: bool) -> None:
        """The session's agent state has become, or has ceased to be, `thinking`."""
        next_step = thinking and not self._thinking
        self._thinking = thinking
        self._go_on(next_step=next_step)

    def tool_updated(self, update: object) -> bool:
        """A tool call has begun, ended, or told of its progress.

        Returns:
            Whether it has ended.
        """
        if isinstance(update, ToolCallStarted):
            self.tools[update.function_call.call_id] = update.function_call.name
        elif isinstance(update, ToolCallEnded):
            self.tools.pop(update.call_id, None)
        self._go_on(next_step=isinstance(update, ToolCallStarted | ToolCallEnded))
        return isinstance(update, ToolCallEnded)

    def _go_on(self, *, next_step: bool) -> None:
        if not (self._speeches or self.tools or self._thinking):
            self._turns.agent_rests()
        elif next_step:
            self._turns.agent_works(self._clock())

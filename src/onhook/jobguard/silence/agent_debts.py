"""What a session has begun or promised to its caller and not yet made good: speeches and tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from livekit.agents.voice import SpeechHandle

from onhook.jobguard.silence.agent_audio import AgentAudio
from onhook.jobguard.silence.caller_side import NEVER, CallerSide
from onhook.jobguard.silence.standing import ENDPOINTING
from onhook.livekit.framework.session_internals import error_of

__all__ = ["AgentDebts"]


@dataclass(eq=False, slots=True)
class _Speech:
    handle: SpeechHandle
    began: float
    asked_at: float
    said: bool


class AgentDebts:
    """Is told of a session's speeches, tools and errors; says since when an answer is due.

    Args:
        audio: What the agent really sends.
        caller: What the caller does.
        clock: Seconds of a monotonic clock.
        changed: Is called whenever something else may be due.
    """

    def __init__(
        self,
        audio: AgentAudio,
        caller: CallerSide,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self.tools: dict[str, str] = {}
        """The tools that run: call id to name."""
        self.raised: tuple[BaseException, str] | None = None
        """What the framework's log or an error event told of last, and what it means."""
        self.nothing_since: float | None = None
        """Since when answers came to an end with nothing in them."""
        self.nothings = 0
        """How many of them came in a row."""
        self.callback_since: float | None = None
        """Since when a callback of the agent's may hold its first word."""
        self._audio = audio
        self._caller = caller
        self._clock = clock
        self._changed = changed
        self._speeches: list[_Speech] = []
        self._tools_since = 0.0
        self._tool_speeches: tuple[SpeechHandle, ...] = ()
        self._thinking_since: float | None = None
        self._raised_at = NEVER
        self._model_answered_at = NEVER
        self._reply_due = True
        self._turn_taken_at = NEVER
        self._failed_at: float | None = None

    # -- what is due

    @property
    def due_since(self) -> float | None:
        """Since when an answer is due; `None` where none is."""
        since = [self._failed_at]
        if (speech := self._due_speech()) is not None:
            since.append(max(speech.began, self._turn_taken_at))  # a preemptive one began before
        elif not self.tools:
            since.append(self._thinking_since)
        return min((at for at in since if at is not None), default=None)

    @property
    def model_asked_at(self) -> float | None:
        """When a model was asked that has not answered; `None` where its turn was taken first."""
        speech = self._due_speech()
        if speech is None or speech.said or self.answered:
            return None
        return speech.began if speech.began < self._turn_taken_at else None

    @property
    def answered(self) -> bool:
        """Whether the model has given words for what is due."""
        due = self._due_speech()
        began = self.due_since if due is None else due.began
        began = self.nothing_since if began is None else began
        return began is not None and self._model_answered_at >= began

    @property
    def speaking(self) -> bool:
        """Whether a speech is being made or spoken."""
        return self._due_speech() is not None

    @property
    def nothing_but_tasks(self) -> bool:
        """Whether a task that listens would owe nothing: no speech is due, and none has failed."""
        return not self.speaking and self._failed_at is None

    @property
    def tools_since(self) -> float | None:
        """Since when a turn waits for its tools; those in the background owe nothing."""
        waits = bool(self.tools) and any(
            speech.handle in self._tool_speeches and not speech.handle.interrupted
            for speech in self._speeches
        )
        return self._tools_since if waits else None

    def has(self, speech: SpeechHandle | None) -> bool:
        """Return whether a speech is one of this conversation's, and not over."""
        return any(known.handle is speech for known in self._speeches)

    def _due_speech(self) -> _Speech | None:
        """Return the oldest scheduled speech that is not over, and waits for no tool."""
        for speech in self._speeches:
            parked = self.tools and speech.handle in self._tool_speeches
            if speech.handle.scheduled and not speech.handle.interrupted and not parked:
                return speech
        return None

    # -- what makes it good

    def forget(self) -> None:
        """The caller hears something: what had failed, or came to nothing, is history."""
        self._failed_at = self.nothing_since = self.callback_since = None

    def agent_is_heard(self) -> None:
        """The agent itself is heard."""
        self.raised, self.nothings = None, 0
        self.forget()

    def turn_taken(self) -> None:
        """What the caller said was taken as a turn: the one before is history."""
        self.nothing_since = self._failed_at = None
        self._turn_taken_at = self._clock()

    def nobody_waits(self) -> None:
        """There is no caller: nothing is due to anybody."""
        self._speeches.clear()
        self.tools.clear()
        self.forget()

    def drop(self, speech: SpeechHandle) -> None:
        """A speech that is not measured is heard now."""
        self._speeches = [known for known in self._speeches if known.handle is not speech]
        self.callback_since = self.raised = None

    # -- what the session tells

    def agent_entered(self) -> None:
        """An agent has the call now, and has not said a word yet."""
        self.callback_since = self._clock()
        self._changed()

    def callbacks_are_over(self) -> None:
        """No callback of the agent's runs: it need not say a word."""
        self.callback_since = None

    def understood(self, at: float) -> None:
        """A transcript came: with no speech begun, a callback may be what holds the answer.

        Args:
            at: When.
        """
        if not self._speeches:
            self.callback_since = self.callback_since or at

    def agent_thinks(self, *, thinking: bool) -> None:
        """The session's agent state has become, or has ceased to be, `thinking`."""
        if not thinking:
            self._thinking_since = None
        elif self._thinking_since is None:
            self._thinking_since = self._clock()
        self._changed()

    def speech_began(self, speech: SpeechHandle, *, said: bool) -> None:
        """A speech was created; it need not be scheduled or heard yet.

        Args:
            speech: Its handle.
            said: Whether its words were given, and not left to a model.
        """
        if speech.done() or self.has(speech):
            return
        now = self._clock()
        made = _Speech(speech, now, now if said else self._asked_at(now), said)
        self._speeches.append(made)
        self._reply_due = True
        speech.add_done_callback(lambda _: self._speech_is_over(made))
        self._changed()

    def _speech_is_over(self, speech: _Speech) -> None:
        """Keep what an answer that nobody heard leaves behind."""
        if speech not in self._speeches:
            return
        self._speeches.remove(speech)
        handle, audio = speech.handle, self._audio
        silent = audio.heard_until <= speech.began
        if silent and self._reply_due and handle.scheduled and not handle.interrupted:
            sent = audio.frames_at > speech.began
            if (error := error_of(handle)) is not None:
                self._take_note(error, "")
            raised = self._raised_at >= speech.began
            if speech.said or sent or raised or self._model_answered_at >= speech.began:
                self._failed_at = self._failed_at or speech.asked_at
            else:
                self.nothing_since = self.nothing_since or speech.asked_at
                self.nothings += 1
        self._changed()

    def tool_began(self, call_id: str, name: str) -> None:
        """A call of a tool has begun."""
        if not self.tools:
            self._tools_since = self._clock()
            self._tool_speeches = tuple(s.handle for s in self._speeches if s.handle.scheduled)
        self.tools[call_id] = name
        self._changed()

    def tool_ended(self, call_id: str) -> None:
        """A call of a tool has ended, however it did."""
        self.tools.pop(call_id, None)
        for speech in self._speeches:  # its next step begins now
            if speech.handle in self._tool_speeches:
                speech.began = speech.asked_at = self._clock()
        self._changed()

    def tools_executed(self, *, reply_due: bool) -> None:
        """The tools of a turn are over.

        Args:
            reply_due: Whether the model is to answer them; a tool that returns nothing is the end.
        """
        self._reply_due = reply_due

    def model_answered(self) -> None:
        """The model has given its first token."""
        self._model_answered_at = self._clock()

    def complained(self, error: BaseException, meaning: str) -> None:
        """Something of the agent's raised; with a meaning, the turn has come to nothing by it."""
        self._take_note(error, f"{meaning} {error!r}" if meaning else "")
        if meaning:
            self._failed_at = self._failed_at or self._asked_at(self._clock())
        self._changed()

    def _asked_at(self, now: float) -> float:
        """Return the caller's last word, where what happens now answers it; else now.

        An answer that may still come is owed from its turn's commit. One that never will, because
        it has failed or was empty, was owed from then on.
        """
        quiet_at = self._caller.quiet_at
        answers = now - quiet_at < ENDPOINTING and quiet_at >= self._audio.heard_until
        return quiet_at if answers else now

    def _take_note(self, error: BaseException, meaning: str) -> None:
        self.raised, self._raised_at = (error, meaning), self._clock()

"""Follows one session for as long as it lives, and tells of what goes wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from livekit.agents import (
    Agent,
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    SpeechCreatedEvent,
    ToolExecutionUpdatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
)
from livekit.agents.metrics import LLMMetrics
from livekit.agents.voice import SpeechHandle

from onhook.faults import Fault
from onhook.incident import Failure
from onhook.jobguard.coroutines import is_running
from onhook.jobguard.silence.conversation import Conversation
from onhook.jobguard.silence.diagnosis import Turn, diagnose
from onhook.jobguard.silence.silence_limits import Silence, SilenceLimits
from onhook.livekit import Meter
from onhook.policy import Policy

__all__ = ["SessionWatch"]

Session: TypeAlias = AgentSession[Any]

_PROVIDERS: Mapping[str, Fault] = {
    "llm_error": Fault.LLM_FAILED,
    "realtime_model_error": Fault.LLM_FAILED,
    "stt_error": Fault.STT_FAILED,
    "tts_error": Fault.TTS_FAILED,
}
"""The framework's error types (livekit-agents `llm.LLMError.type` and its siblings)."""

_CALLBACKS = ("on_enter", "on_user_turn_completed")
"""Callbacks of an agent that a turn may hang in."""


class SessionWatch:
    """Listens to a session's events and to the audio it sends. Enter it to begin, leave to end.

    Args:
        session: The session, started or being started.
        policy: How long a caller may hear nothing.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, session: Session, policy: Policy, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock
        self.conversation = Conversation(SilenceLimits(policy), clock)
        """What is understood of the conversation so far."""
        self._lost: Failure | None = None
        self._meter: Meter | None = None
        self._unmeasured: SpeechHandle | None = None
        self._models: set[llm.LLM[Any]] = set()
        self._handlers: Mapping[Any, Callable[[Any], None]] = {
            "error": self._on_error,
            "close": self._on_close,
            "agent_state_changed": self._on_agent_state,
            "user_state_changed": self._on_user_state,
            "user_input_transcribed": self._on_transcript,
            "conversation_item_added": self._on_item,
            "tool_execution_updated": self._on_tool,
            "speech_created": self._on_speech,
        }

    def __enter__(self) -> SessionWatch:
        for event, handler in self._handlers.items():
            self._session.on(event, handler)
        self._attach()
        self._agent_entered()
        if (speech := self._session.current_speech) is not None:
            self._unmeasured = speech  # it took its way before the meter stood in it
            self.conversation.speech_began(speech, said=False)
        self.conversation.agent_thinks(thinking=self._session.agent_state == "thinking")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for event, handler in self._handlers.items():
            self._session.off(event, handler)
        for model in self._models:
            model.off("metrics_collected", self._on_metrics)

    async def failure(self) -> Failure:
        """Wait for the next failure.

        It is `IMPAIRED` where the caller has heard nothing for `dead_air` for the first time, and
        `LOST` where the silence lasts as long again, where the next turn is silent too, or where
        the session itself says that it is beyond help.
        """
        conversation = self.conversation
        while True:
            if self._lost is not None:
                return self._lost
            # a session without audio output is one that nobody is meant to hear
            heard = self._session.output.audio is not None
            silence = conversation.silence(transcribed=self._transcribes()) if heard else None
            if silence is None:
                await conversation.changes()
            elif (left := conversation.patience.until(silence) - self._clock()) > 0:
                await conversation.changes(left)
            elif silence.kind == "entry" and not self._runs("on_enter"):
                conversation.entry_is_over()
            else:
                return self._failure(silence)

    @property
    def is_lost(self) -> bool:
        """Whether the session itself is beyond help."""
        return self._lost is not None

    async def settled(self) -> None:
        """Wait until the agent is heard again, or lost."""
        if self._lost is None:
            await self.conversation.settles()

    def _failure(self, silence: Silence) -> Failure:
        conversation = self.conversation
        error, meaning = conversation.raised or (None, "")
        turn = Turn(
            self._session.agent_state,
            tuple(conversation.work.tools.values()),
            tuple(name for name in _CALLBACKS if self._runs(name)),
            meaning,
            conversation.thought,
            conversation.answered,
            conversation.work.speaking,
            conversation.turns.sending,
            conversation.turns.cut_short,
        )
        fault, why = diagnose(silence, turn)
        now = self._clock()
        severity = conversation.patience.exhausted(silence, now)
        detail = f"the caller has heard nothing for {now - silence.since:.1f} s: {why}"
        return Failure(fault, detail, now, error, severity=severity)

    def _transcribes(self) -> bool:
        """Return whether what the caller says is to be transcribed; realtime models need not."""
        agent = self._agent()
        return self._session.stt is not None or bool(agent is not None and agent.stt)

    def _agent(self) -> Agent | None:
        try:
            return self._session.current_agent
        except RuntimeError:  # the session has not started yet, or is closed
            return None

    def _runs(self, callback: str) -> bool:
        method = getattr(type(self._agent()), callback, None)
        return method is not None and is_running(method)

    def _attach(self) -> None:
        """Put the meter into the output chain, between two segments and not within one."""
        output = self._session.output.audio
        if output is None or output is self._meter or self._session.agent_state == "speaking":
            return
        self._meter = Meter(output, self.conversation, self._clock)
        self._session.output.audio = self._meter

    def _agent_entered(self) -> None:
        """Follow the agent that has the call now: its own model, and its first words."""
        self.conversation.agent_entered()
        for model in (self._session.llm, getattr(self._agent(), "llm", None)):
            if isinstance(model, llm.LLM) and model not in self._models:
                self._models.add(model)
                model.on("metrics_collected", self._on_metrics)

    def _lose(self, fault: Fault, detail: str, error: BaseException | None) -> None:
        if self._lost is None:
            self._lost = Failure(fault, detail, self._clock(), error)
            self.conversation.is_lost()

    def _on_error(self, event: ErrorEvent) -> None:
        fault = _PROVIDERS.get(getattr(event.error, "type", ""))
        cause = getattr(event.error, "error", None)
        if fault is None:
            return
        if cause is not None:
            self.conversation.complained(cause, "")
        if fault is Fault.STT_FAILED:
            self.conversation.recognition_failed()
        if not getattr(event.error, "recoverable", True):
            label = getattr(event.error, "label", "a provider")
            self._lose(fault, f"{label} failed for good: {cause!r}", cause)

    def _on_close(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            cause = getattr(event.error, "error", None)
            self._lose(Fault.SESSION_CLOSED, f"the session closed on {cause!r}", cause)

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        self.conversation.agent_thinks(thinking=event.new_state == "thinking")
        if event.new_state == "speaking" and self._unmeasured is not None:
            self.conversation.speech_is_heard(self._unmeasured)
            self._unmeasured = None
        self._attach()

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        self.conversation.caller_speaks(speaking=event.new_state == "speaking")

    def _on_transcript(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript.strip():
            whole = event.is_final and self._session.agent_state != "speaking"
            self.conversation.understood(whole=whole)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if event.item.type == "agent_handoff":
            self._agent_entered()
        elif getattr(event.item, "role", "") == "user":
            self.conversation.turn_taken()

    def _on_tool(self, event: ToolExecutionUpdatedEvent) -> None:
        self.conversation.tool_updated(event.update)

    def _on_speech(self, event: SpeechCreatedEvent) -> None:
        self.conversation.speech_began(event.speech_handle, said=event.source == "say")

    def _on_metrics(self, metrics: LLMMetrics) -> None:
        # a session whose TTS raises adds no item: the model's first token tells of an answer
        self.conversation.answered = self.conversation.answered or metrics.ttft >= 0

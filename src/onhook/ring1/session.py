"""Follows one session for as long as it lives, and tells of what goes wrong in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    ToolExecutionUpdatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
)
from livekit.agents.metrics import LLMMetrics
from livekit.agents.voice.events import ToolCallEnded, ToolCallStarted

from onhook.faults import Fault, Severity
from onhook.livekit import Meter
from onhook.policy import Policy
from onhook.ring1.turns import Turns
from onhook.types import Failure

__all__ = ["SessionWatch"]

Session: TypeAlias = AgentSession[Any]

_PROVIDERS: Mapping[str, Fault] = {
    "llm_error": Fault.LLM_FAILED,
    "realtime_model_error": Fault.LLM_FAILED,
    "stt_error": Fault.STT_FAILED,
    "tts_error": Fault.TTS_FAILED,
}
"""The framework's error types (livekit-agents `llm.LLMError.type` and its siblings)."""


class SessionWatch:
    """Listens to a session's events and to the audio it sends. Enter it to begin, leave to end.

    Args:
        session: The session, started or being started.
        policy: How long a caller may hear nothing.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, session: Session, policy: Policy, clock: Callable[[], float]) -> None:
        self._session = session
        self._policy = policy
        self._tools: dict[str, str] = {}
        self._clock = clock
        self._turns = Turns()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._lost: Failure | None = None
        self._warned: float | None = None
        self._counted = self._thought = self._answered = False
        self._meter: Meter | None = None
        self._handlers: Mapping[Any, Callable[[Any], None]] = {
            "error": self._on_error,
            "close": self._on_close,
            "agent_state_changed": self._on_agent_state,
            "user_state_changed": self._on_user_state,
            "user_input_transcribed": self._on_transcript,
            "conversation_item_added": self._on_item,
            "tool_execution_updated": self._on_tool,
        }

    def __enter__(self) -> SessionWatch:
        for event, handler in self._handlers.items():
            self._session.on(event, handler)
        if isinstance(self._session.llm, llm.LLM):
            self._session.llm.on("metrics_collected", self._on_metrics)
        self._attach()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for event, handler in self._handlers.items():
            self._session.off(event, handler)
        if isinstance(self._session.llm, llm.LLM):
            self._session.llm.off("metrics_collected", self._on_metrics)

    async def failure(self) -> Failure:
        """Wait for the next failure.

        It is `IMPAIRED` where a turn has been silent for `dead_air` for the first time, and `LOST`
        where the silence lasts as long again, where the next turn is silent too, or where the
        session itself says that it is beyond help.
        """
        while True:
            if self._lost is not None:
                return self._lost
            since = self._turns.silent_since
            left = None if since is None else self._limit(since) - self._clock()
            if since is not None and left is not None and left <= 0:
                return self._dead_air_failure(since)
            await self._wait(left)

    async def settled(self) -> None:
        """Wait until the agent is heard again, or lost."""
        self._settled.clear()
        if self._lost is None:
            await self._settled.wait()

    def _limit(self, since: float) -> float:
        dead_air = self._policy.dead_air
        if dead_air is None:
            return float("inf")
        if self._warned is None:
            return since + dead_air
        if self._tools:
            return since + max(2 * dead_air, self._policy.tool_limit)
        return since + dead_air * (2 if self._warned == since else 1)

    def _dead_air_failure(self, since: float) -> Failure:
        fault, why = self._blame()
        severity = Severity.IMPAIRED if self._warned is None else Severity.LOST
        self._warned = since
        now = self._clock()
        detail = f"the caller has heard nothing for {now - since:.1f} s: {why}"
        return Failure(fault, detail, now, severity=severity)

    def _blame(self) -> tuple[Fault, str]:
        if self._tools:
            return Fault.TURN_STUCK, f"the tool {', '.join(self._tools.values())} still runs"
        state = self._session.agent_state
        if state == "speaking" or self._answered:
            return Fault.TTS_MUTE, "there was an answer, and no sound of it was sent"
        if state == "thinking":
            return Fault.LLM_STALLED, "the agent is still thinking"
        if self._thought:
            return Fault.LLM_EMPTY, "the agent has thought, and answered nothing"
        return Fault.TURN_STUCK, f"the turn did not go on (agent state {state!r})"

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    def _attach(self) -> None:
        """Put the meter into the output chain, between two segments and not within one."""
        output = self._session.output.audio
        if output is None or output is self._meter or self._session.agent_state == "speaking":
            return
        self._meter = Meter(output, self, self._clock)
        self._session.output.audio = self._meter

    def _lose(self, fault: Fault, detail: str, error: BaseException | None) -> None:
        if self._lost is None:
            self._lost = Failure(fault, detail, self._clock(), error)
            self._settled.set()
            self._changed.set()

    def _on_error(self, event: ErrorEvent) -> None:
        fault = _PROVIDERS.get(getattr(event.error, "type", ""))
        if fault is not None and not getattr(event.error, "recoverable", True):
            cause = getattr(event.error, "error", None)
            label = getattr(event.error, "label", "a provider")
            self._lose(fault, f"{label} failed for good: {cause!r}", cause)

    def _on_close(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            cause = getattr(event.error, "error", None)
            self._lose(Fault.SESSION_CLOSED, f"the session closed on {cause!r}", cause)

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        self._thought = self._thought or event.new_state == "thinking"
        self._attach()
        self._changed.set()

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._turns.caller_speaks(self._clock())
        else:
            self._turns.caller_is_quiet(self._clock())
        self._changed.set()

    def _on_transcript(self, event: UserInputTranscribedEvent) -> None:
        # words spoken into the agent's own may be a mere "uh-huh": they count once taken as a turn
        if event.is_final and event.transcript.strip() and self._session.agent_state != "speaking":
            self._counted = True
            self._ask()

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if getattr(event.item, "role", "") == "user":
            if not self._counted:
                self._ask()
            self._counted = False

    def _on_tool(self, event: ToolExecutionUpdatedEvent) -> None:
        update = event.update
        if isinstance(update, ToolCallStarted):
            self._tools[update.function_call.call_id] = update.function_call.name
        elif isinstance(update, ToolCallEnded):
            self._tools.pop(update.call_id, None)
        self._changed.set()

    def _on_metrics(self, metrics: LLMMetrics) -> None:
        # a session whose TTS raises adds no item: the model's first token tells of an answer
        self._answered = self._answered or metrics.ttft >= 0

    def _ask(self) -> None:
        self._thought = self._answered = False
        self._turns.caller_asked(self._clock())
        self._changed.set()

    def agent_sends(self, at: float, seconds: float, *, audible: bool) -> None:
        """See `Listener`."""
        self._turns.agent_sends(at, seconds, audible=audible)
        if audible:
            self._warned = None
            self._settled.set()
        self._changed.set()

    def agent_is_done(self) -> None:
        """See `Listener`."""
        self._turns.agent_is_done()
        self._changed.set()

    def agent_is_cut_off(self, at: float) -> None:
        """See `Listener`."""
        self._turns.agent_is_cut_off(at)
        self._changed.set()

    def agent_pauses(self, at: float) -> None:
        """See `Listener`."""
        self._turns.agent_pauses(at)
        self._changed.set()

    def agent_resumes(self, at: float) -> None:
        """See `Listener`."""
        self._turns.agent_resumes(at)
        self._changed.set()

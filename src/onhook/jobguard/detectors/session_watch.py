"""Follows one session for as long as it lives, and tells of what goes wrong in it."""

from __future__ import annotations

import time
from collections import deque
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
    FunctionToolsExecutedEvent,
    SpeechCreatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
)
from livekit.agents.metrics import LLMMetrics
from livekit.agents.voice import SpeechHandle

from onhook.faults import Fault, Severity
from onhook.incident import Failure
from onhook.jobguard.detectors.session_view import JobView, LineView, SessionView
from onhook.jobguard.failures import shut_down
from onhook.jobguard.silence.conversation import Conversation
from onhook.jobguard.silence.diagnosis import Turn, diagnose
from onhook.jobguard.silence.explanation import evidence, now_and_next
from onhook.jobguard.silence.standing import Judgement, Limits, Standing, judge
from onhook.jobguard.silence.utterances import Utterance
from onhook.livekit import Meter
from onhook.livekit.framework.job_internals import is_by_parent
from onhook.livekit.framework.session_internals import (
    is_closing,
    linked_identity,
    provider_error,
    running_tools,
    tells_of_tools,
    tool_update,
)
from onhook.policy import Policy

__all__ = ["SessionWatch"]

Session: TypeAlias = AgentSession[Any]

_LOOK = 0.25
"""Seconds between looks at what no event tells of: a disabled output, a session that closes."""
_LEFT = 0.5
"""Seconds after a session's end for the developer's code to go on: another session, a transfer."""
_CLOSES_ON_ERROR = 5.0
"""Seconds after a provider's error in which a session that closes does so because of it."""
_AT_ONCE = 1e-3
"""Seconds that are not worth a wait."""
_REMEMBERED = 40


class SessionWatch:
    """Listens to a session's events and to the audio it sends. Enter it to begin, leave to end.

    Args:
        session: The session, started or being started.
        policy: How long a caller may hear nothing.
        clock: Seconds of a monotonic clock.
        line: Returns the call as its room shows it now.
        job: Returns what the job around the session does now.
    """

    def __init__(
        self,
        session: Session,
        policy: Policy,
        clock: Callable[[], float],
        line: Callable[[], LineView] = LineView,
        job: Callable[[], JobView] = JobView,
    ) -> None:
        self._session = session
        self._view = SessionView(session)
        self._clock = clock
        self._line = line
        self._job = job
        self._dead_air = policy.dead_air
        self._had_output = False
        self._ended_at: float | None = None
        self._ended_by = ""
        limits = Limits(policy.dead_air, policy.tool_limit, policy.give_up)
        self.conversation = Conversation(limits, clock)
        """What is understood of the conversation so far."""
        self._lost: Failure | None = None
        self._provider: tuple[Fault, float] | None = None
        self._meter: Meter | None = None
        self._carried, self._carried_at = True, float("-inf")
        self._unmeasured: SpeechHandle | None = None
        self._spoke_at: float | None = None
        self._models: set[llm.LLM[Any]] = set()
        self._history: deque[tuple[float, Judgement]] = deque(maxlen=_REMEMBERED)
        self._handlers: Mapping[Any, Callable[[Any], None]] = {
            "error": self._on_error,
            "close": self._on_close,
            "agent_state_changed": self._on_agent_state,
            "user_state_changed": self._on_user_state,
            "user_input_transcribed": self._on_transcript,
            "conversation_item_added": self._on_item,
            "tool_execution_updated": self._on_tool,
            "function_tools_executed": self._on_tools_executed,
            "speech_created": self._on_speech,
        }

    def __enter__(self) -> SessionWatch:
        for event, handler in self._handlers.items():
            self._session.on(event, handler)
        self._attach()
        self._agent_entered()
        if (speech := self._session.current_speech) is not None:
            self._unmeasured = speech  # it took its way before the meter stood in it
            self.conversation.debts.speech_began(speech, said=False)
        self.conversation.debts.agent_thinks(thinking=self._session.agent_state == "thinking")
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

        It is `IMPAIRED` where the caller has been owed sound for `dead_air`, and `LOST` where the
        session itself gave up, or where after the words a second kind of evidence says so; see
        `onhook.jobguard.silence.standing`.
        """
        conversation = self.conversation
        if conversation.warned is not None:  # and the words that we asked for are over now
            conversation.is_warned()
        while True:
            if self._lost is not None:
                return self._lost
            self._attach()
            if not tells_of_tools():
                self._look_for_tools()
            if self._ended():
                continue
            judgement = self._judge()
            left = judgement.due - self._clock()
            if left > _AT_ONCE:
                await conversation.changes(min(left, _LOOK))
            elif judgement.standing is Standing.CALLBACK_MAY_HANG and not self._view.callbacks:
                conversation.debts.callbacks_are_over()
            else:
                return self._failure(judgement)

    def _ended(self) -> bool:
        """Notice that the session was ended without an error, at the moment the agent left.

        Its `close` event comes when all is closed, which may take long; the agent has left once its
        last words are over. What the developer's code does next is waited for: an entrypoint that
        still runs for `dead_air`, another session for ever.

        A job that its worker ends is over, too: livekit-agents gives a running entrypoint 15 s,
        which knows nothing of it, and closes the session only then. An agent that another rescuer
        has removed from the room is that rescuer's: the end of the job tells.
        """
        conversation, now, job = self.conversation, self._clock(), self._job()
        ends = conversation.gone or is_closing(self._session) or is_by_parent(job.shutdown)
        if not ends or not self._had_output:
            self._ended_at = None
            return False
        speaks = conversation.debts.speaking and not conversation.gone
        speaks = speaks and self._session.output.audio is not None
        if speaks or conversation.audio.heard_until > now:
            return False
        if self._ended_at is None:
            self._ended_at = now
            self._ended_by = self._ended_by or self._ends_now()
        patience = _LEFT
        if job.shutdown is None and job.entrypoint_runs and self._dead_air is not None:
            patience = self._dead_air
        if job.other_session_runs or now - self._ended_at < patience:
            return False
        self._lose_to_end(job)
        return True

    def _lose_to_end(self, job: JobView) -> None:
        provider, now = self._provider, self._clock()
        if job.shutdown is not None:
            self._lost = shut_down(job.shutdown, now)
        elif provider is not None and now - provider[1] < _CLOSES_ON_ERROR:
            error = self.conversation.debts.raised[0] if self.conversation.debts.raised else None
            self._lost = Failure(Fault.SESSION_CLOSED, "the session closes on an error", now, error)
        else:
            detail = "the session was ended, and the caller is still on the line"
            told = {"by": self._ended_by, "rule": "session gone: nobody is left who could be heard"}
            ended = self._ended_at
            self._lost = Failure(
                Fault.SESSION_ENDED, detail, now, evidence=told, silent_since=ended
            )
        self.conversation.is_lost()

    def _ends_now(self) -> str:
        """Return who ends a session: one that has lost the caller it listened to had no choice."""
        return "line" if linked_identity(self._session) == "" else "agent"

    def _judge(self) -> Judgement:
        conversation = self.conversation
        facts = conversation.facts(self._view.surroundings(self._line()))
        judgement = judge(facts, conversation.limits, conversation.warned)
        if not self._history or self._history[-1][1].row is not judgement.row:
            self._history.append((self._clock(), judgement))
        return judgement

    @property
    def is_lost(self) -> bool:
        """Whether the session itself is beyond help."""
        return self._lost is not None

    async def settled(self) -> bool:
        """Wait until the agent is heard again, or lost; return whether it is heard."""
        if self._lost is None:
            await self.conversation.settles()
        return self._lost is None

    def explain(self) -> str:
        """Tell in plain sentences how agent and caller stand with each other, and stood before."""
        limits, warned = self.conversation.limits, self.conversation.warned
        told = now_and_next(self._judge(), limits, warned, self._history)
        return f"Session, agent state {self._session.agent_state!r}.\n{told}"

    def _failure(self, judgement: Judgement) -> Failure:
        conversation, now, line = self.conversation, self._clock(), self._line()
        error, meaning = conversation.debts.raised or (None, "")
        provider = self._provider[0] if self._provider and error is not None else None
        turn = Turn(
            self._session.agent_state,
            tuple(conversation.debts.tools.values()) if "works" in judgement.standing else (),
            self._view.callbacks,
            meaning,
            provider,
            conversation.debts.answered,
            conversation.debts.speaking,
            conversation.audio.sending,
            judgement.standing is Standing.AGENT_OWES_THE_REST,
            self._view.realtime,
            self._view.listens_to(line.callers),
            conversation.heard_by_session_at >= (judgement.since or now) - _NOTICED,
            line.unheard,
        )
        fault, why = diagnose(judgement.standing, turn)
        since = now if judgement.silent_since is None else judgement.silent_since
        told = evidence(judgement, conversation.limits, conversation.warned, self._history)
        told |= {"framework": why, "agent": self._session.agent_state}
        severity = judgement.severity
        if fault is Fault.AUDIO_UNHEARD and line.deaf:
            severity = Severity.LOST  # the agent speaks, and the line shows that no words can help
            told.setdefault("line", "no words could be heard either")
        conversation.is_warned()
        detail = f"the caller has heard nothing for {now - since:.1f} s: {why}"
        return Failure(*(fault, detail, now, error, told, severity), silent_since=since)

    # -- the session

    def _attach(self) -> None:
        """Put the meter into the output chain, between two segments and not within one."""
        output = self._session.output.audio
        self._had_output = self._had_output or output is not None
        if output is None or output is self._meter or self._session.agent_state == "speaking":
            return
        self._meter = Meter(output, self.conversation, self._clock, carried=self._is_carried)
        self._session.output.audio = self._meter

    def _is_carried(self) -> bool:
        """Return whether callers get what the agent sends; the room is looked at now and then."""
        now = self._clock()
        if now - self._carried_at >= _LOOK:
            self._carried, self._carried_at = not self._line().unheard, now
        return self._carried

    def _agent_entered(self) -> None:
        """Follow the agent that has the call now: its own model, and its first words."""
        self.conversation.debts.agent_entered()
        for model in (self._session.llm, getattr(self._view.agent, "llm", None)):
            if isinstance(model, llm.LLM) and model not in self._models:
                self._models.add(model)
                model.on("metrics_collected", self._on_metrics)

    # -- events

    def _on_error(self, event: ErrorEvent) -> None:
        known = provider_error(event.error)
        if known is None:
            return
        self._provider = known[0], self._clock()
        self.conversation.debts.complained(known[1], "")

    def _on_close(self, event: CloseEvent) -> None:
        self.conversation.gone = True
        if event.reason is CloseReason.PARTICIPANT_DISCONNECTED:
            self._ended_by = "line"
        if event.reason is CloseReason.ERROR and self._lost is None:
            cause = getattr(event.error, "error", None)
            detail = f"the session closed on {cause!r}"
            told = {"rule": "session closed: the framework itself gave up"}
            self._lost = Failure(Fault.SESSION_CLOSED, detail, self._clock(), cause, told)
        self.conversation.is_lost()

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        self.conversation.debts.agent_thinks(thinking=event.new_state == "thinking")
        if event.new_state == "speaking" and self._unmeasured is not None:
            self.conversation.speech_is_heard(self._unmeasured)
            self._unmeasured = None
        self._attach()

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        """Take the session's voice detection for a second pair of ears."""
        now, speaks = self._clock(), event.new_state == "speaking"
        at = now - max(0.0, time.time() - event.created_at)  # that of VAD is back-dated
        self.conversation.noticed()
        self.conversation.caller_voice(at, speaking=speaks, by="session")
        if speaks:
            self._spoke_at = at
        elif self._spoke_at is not None:
            began, self._spoke_at = self._spoke_at, None
            self.conversation.caller_said(Utterance(began, at, at - began))

    def _on_transcript(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript.strip():
            whole = event.is_final and self._session.agent_state != "speaking"
            self.conversation.understood(whole=whole)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if event.item.type == "agent_handoff":
            self._agent_entered()
        elif getattr(event.item, "role", "") == "user":
            self.conversation.turn_taken()

    def _on_tool(self, event: object) -> None:
        tool = tool_update(event)
        if tool is not None and tool.ended:
            self.conversation.debts.tool_ended(tool.call_id)
        elif tool is not None:
            self.conversation.debts.tool_began(tool.call_id, tool.name)

    def _look_for_tools(self) -> None:
        """Notice the tools of a version that has no event of theirs."""
        conversation = self.conversation
        running = {t.call_id: t.name for t in running_tools() if conversation.debts.has(t.speech)}
        for call_id in conversation.debts.tools.keys() - running:
            conversation.debts.tool_ended(call_id)
        for call_id in running.keys() - conversation.debts.tools:
            conversation.debts.tool_began(call_id, running[call_id])

    def _on_tools_executed(self, event: FunctionToolsExecutedEvent) -> None:
        self.conversation.debts.tools_executed(reply_due=event.has_tool_reply)

    def _on_speech(self, event: SpeechCreatedEvent) -> None:
        self.conversation.debts.speech_began(event.speech_handle, said=event.source == "say")

    def _on_metrics(self, metrics: LLMMetrics) -> None:
        # a session whose TTS raises adds no item: the model's first token tells of an answer
        if metrics.ttft >= 0:
            self.conversation.debts.model_answered()


_NOTICED = 30.0
"""Seconds for which the session's own notice of the caller still says that it hears them."""

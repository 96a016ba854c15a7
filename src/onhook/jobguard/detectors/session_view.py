"""What a session, its room and its job look like now: looked at, and not listened to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from livekit.agents import Agent, AgentSession, AgentTask, llm

from onhook.jobguard.coroutines import is_running
from onhook.jobguard.silence.conversation import Surroundings
from onhook.livekit.framework.session_internals import (
    detects_machines,
    linked_identity,
    turn_detection,
)

__all__ = ["JobView", "LineView", "SessionView"]

_CALLBACKS = ("on_enter", "on_user_turn_completed")
"""Callbacks of an agent that a turn may hang in."""


@dataclass(frozen=True, slots=True)
class LineView:
    """The call as its room shows it.

    Args:
        answered: Whether a caller's line is answered.
        outbound: Whether we dialled.
        alone: Whether nobody but this agent could answer the caller.
        callers: Identities of the callers.
        ambience: Whether the agent plays sounds on a track of its own.
        unheard: Why callers get nothing of what the agent sends; empty where they do.
        deaf: Whether callers may not hear anybody in the room.
    """

    answered: bool = True
    outbound: bool = False
    alone: bool = True
    callers: frozenset[str] = frozenset()
    ambience: bool = False
    unheard: str = ""
    deaf: bool = False


@dataclass(frozen=True, slots=True)
class JobView:
    """The job as its session's end is judged by it.

    Args:
        entrypoint_runs: Whether the entrypoint has not returned: it may go on without the session.
        other_session_runs: Whether another session of the job has the call.
        shutdown: Why the job is shutting down; `None` while it is not.
    """

    entrypoint_runs: bool = False
    other_session_runs: bool = False
    shutdown: str | None = None


class SessionView:
    """Looks at one session.

    Args:
        session: The session, started or being started.
    """

    def __init__(self, session: AgentSession[Any]) -> None:
        self._session = session

    def surroundings(self, line: LineView) -> Surroundings:
        """Return what its conversation is judged by.

        Args:
            line: The call as its room shows it.
        """
        session = self._session
        hears = session.input.audio is not None and session.input.audio_enabled
        task = isinstance(self.agent, AgentTask) and not self._runs("on_enter")
        return Surroundings(
            answered=line.answered,
            outbound=line.outbound,
            held=self._held,
            alone=line.alone and hears,
            manual=turn_detection(session, self.agent) == "manual",
            realtime=self.realtime,
            task_listens=task,
            ambience=line.ambience,
        )

    @property
    def agent(self) -> Agent | None:
        """The agent that has the session now."""
        try:
            return self._session.current_agent
        except RuntimeError:  # the session has not started yet, or is closed
            return None

    @property
    def realtime(self) -> bool:
        """Whether a realtime model hears the caller itself."""
        model = getattr(self.agent, "llm", None)
        if not isinstance(model, llm.LLM | llm.RealtimeModel):
            model = self._session.llm
        return isinstance(model, llm.RealtimeModel)

    @property
    def callbacks(self) -> tuple[str, ...]:
        """The callbacks of the agent that run now."""
        return tuple(name for name in _CALLBACKS if self._runs(name))

    def listens_to(self, callers: Collection[str]) -> bool:
        """Return whether the session's audio comes from one of some callers.

        Args:
            callers: Their identities; without any there is nobody else to listen to.
        """
        linked = linked_identity(self._session)
        return linked is None or not callers or linked in callers

    @property
    def _held(self) -> str:
        output = self._session.output
        if output.audio is None:
            return "the session has no audio output: nobody is meant to hear it"
        if not output.audio_enabled:
            return "the session's output is disabled"
        if detects_machines(self._session):
            return "answering machine detection holds the agent's speech"
        return ""

    def _runs(self, callback: str) -> bool:
        method = getattr(type(self.agent), callback, None)
        return method is not None and is_running(method)

"""What a session of livekit-agents keeps to itself, or tells in some versions only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import livekit.agents
from livekit.agents import Agent, AgentSession, llm
from livekit.agents.voice import SpeechHandle

from onhook.faults import Fault
from onhook.livekit.framework.versions import tell_once

__all__ = [
    "RunningTool",
    "detects_machines",
    "error_of",
    "is_closing",
    "linked_identity",
    "provider_error",
    "running_tools",
    "tells_of_tools",
    "tool_update",
    "turn_detection",
]

Session: TypeAlias = AgentSession[Any]

_PROVIDERS: Mapping[str, Fault] = {
    "llm_error": Fault.LLM_FAILED,
    "realtime_model_error": Fault.LLM_FAILED,
    "stt_error": Fault.STT_FAILED,
    "tts_error": Fault.TTS_FAILED,
}
"""The framework's error types (`llm.LLMError.type` and its siblings)."""


def is_closing(session: Session) -> bool:
    """Return whether a session has begun to close; its `close` event may come much later.

    `shutdown()` sets `_closing_task` at once, `aclose()` sets `_closing` (`voice/agent_session.py`,
    `_is_closing`). Without them only the `close` event tells.

    Args:
        session: A session.
    """
    if not hasattr(session, "_closing_task") and not hasattr(session, "_closing"):
        tell_once("AgentSession._closing", "a session that is ended is noticed when it has closed")
    task = getattr(session, "_closing_task", None)
    return task is not None or bool(getattr(session, "_closing", False))


def detects_machines(session: Session) -> bool:
    """Return whether answering machine detection holds the agent's speech.

    `AgentSession.amd` came with the detection itself: without it there is none.

    Args:
        session: A session.
    """
    return getattr(session, "amd", None) is not None


def linked_identity(session: Session) -> str | None:
    """Return whom a session listens to, empty for nobody; `None` where its audio has no room.

    Args:
        session: A session.
    """
    try:
        linked = session.room_io.linked_participant
    except (AttributeError, RuntimeError):  # it raises for a session that has no room
        return None
    return "" if linked is None else linked.identity


def turn_detection(session: Session, agent: Agent | None) -> object:
    """Return how turns end: the agent's own way, else the session's; `None` for no known one.

    Args:
        session: A session.
        agent: The agent that has the call.
    """
    own = getattr(agent, "turn_detection", None)
    return own if isinstance(own, str) else getattr(session, "turn_detection", None)


def provider_error(error: object) -> tuple[Fault, BaseException] | None:
    """Return what an `error` event's error means, and its cause; `None` for one of no provider.

    Args:
        error: `ErrorEvent.error` or `CloseEvent.error`.
    """
    fault = _PROVIDERS.get(getattr(error, "type", ""))
    cause = getattr(error, "error", None)
    return None if fault is None or not isinstance(cause, BaseException) else (fault, cause)


def error_of(speech: SpeechHandle) -> BaseException | None:
    """Return what a speech that is done ended with; `None` also where the version cannot tell.

    Args:
        speech: Its handle.
    """
    tell = getattr(speech, "exception", None)
    return tell() if tell is not None else None


# -- tools: an event tells of them in newer versions, in older ones their tasks are looked for


@dataclass(frozen=True, slots=True)
class RunningTool:
    """A call of a tool.

    Args:
        call_id: Its id.
        name: The tool's name; empty where the call has ended.
        ended: Whether it has.
        speech: The speech that called it, where it is known.
    """

    call_id: str
    name: str = ""
    ended: bool = False
    speech: SpeechHandle | None = None


def tells_of_tools() -> bool:
    """Return whether this version has the event `tool_execution_updated`."""
    return hasattr(livekit.agents, "ToolExecutionUpdatedEvent")


def tool_update(event: object) -> RunningTool | None:
    """Return what a `tool_execution_updated` event tells of a call; `None` for its progress.

    Args:
        event: The event.
    """
    update = getattr(event, "update", None)
    match getattr(update, "type", ""):
        case "tool_call_started":
            call: llm.FunctionCall = update.function_call  # type: ignore[union-attr]
            return RunningTool(call.call_id, call.name)
        case "tool_call_ended":
            return RunningTool(update.call_id, ended=True)  # type: ignore[union-attr]
    return None


def running_tools() -> Iterator[RunningTool]:
    """Yield the calls of tools that run now in this event loop.

    Each has a task of its own that carries its call and its speech (`voice/agent.py`,
    `_set_activity_task_info`; `voice/generation.py`, `_execute_tools_task`).
    """
    for task in asyncio.all_tasks():
        info = getattr(task, "__livekit_agents_activity_task", None)
        call = getattr(info, "function_call", None)
        if isinstance(call, llm.FunctionCall) and task.get_name().startswith("func_exec_"):
            yield RunningTool(call.call_id, call.name, speech=getattr(info, "speech_handle", None))

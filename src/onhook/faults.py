"""The closed taxonomy of ways in which a caller ends up on a dead line."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Fault", "Severity"]


class Severity(StrEnum):
    """How bad an incident is for the caller."""

    LOST = "lost"
    """The agent cannot speak any more."""
    IMPAIRED = "impaired"
    """This turn failed; the agent may recover."""


class Fault(StrEnum):
    """What went wrong, symptom first. Every incident, log line and report uses these words."""

    ENTRYPOINT_RAISED = "entrypoint.raised"
    """The entrypoint raised, at any time, any `BaseException` but the two below."""
    ENTRYPOINT_EXITED = "entrypoint.exited"
    """`SystemExit` or `KeyboardInterrupt` left the entrypoint or the event loop."""
    ENTRYPOINT_STALLED = "entrypoint.stalled"
    """No audio was published within `Policy.first_audio`."""
    ENTRYPOINT_CANCELLED = "entrypoint.cancelled"
    """The entrypoint was cancelled with the caller still on the line."""
    AGENT_SHUTDOWN = "agent.shutdown"
    """The job ends, in an orderly way, with the caller still on the line."""
    SESSION_START_FAILED = "session.start_failed"
    """`AgentSession.start()` raised: no session, no voice."""
    SESSION_CLOSED = "session.closed"
    """The agent's session closed on an error; the agent sits mute in the room."""
    LLM_FAILED = "llm.failed"
    """The language model, or the realtime model, failed for good."""
    STT_FAILED = "stt.failed"
    """The speech recognition failed for good."""
    TTS_FAILED = "tts.failed"
    """The speech synthesis failed for good."""
    LLM_STALLED = "llm.stalled"
    """The agent thinks, and nothing comes."""
    LLM_EMPTY = "llm.empty"
    """The agent has thought, and has nothing to say."""
    STT_DEAF = "stt.deaf"
    """The caller speaks, and nothing of it is transcribed."""
    TTS_STALLED = "tts.stalled"
    """The agent fell silent in the middle of its words."""
    TTS_MUTE = "tts.mute"
    """There is an answer, and none of it can be heard."""
    TURN_STUCK = "turn.stuck"
    """The caller's turn leads nowhere: a tool, a callback or a handoff hangs or raised."""
    REALTIME_QUIET = "realtime.quiet"
    """A realtime model emits nothing any more: no answer, no error, no event."""
    CALLER_UNHEARD = "caller.unheard"
    """The caller speaks on the phone's track, and the session gets none of it."""
    CALL_OVERLONG = "call.overlong"
    """The call has lasted longer than `Policy.max_call`."""
    TRANSFER_FAILED = "transfer.failed"
    """The caller was to be sent elsewhere, and is still here."""
    OUTBOUND_UNANSWERED = "outbound.unanswered"
    """The callee did not answer, was busy or declined."""
    OUTBOUND_LATE_ANSWER = "outbound.late_answer"
    """The callee answered after nobody waited any more."""
    JOB_DIED = "job.died"
    """The job's process is gone: killed, out of memory, a crash in C, `os._exit`."""
    JOB_HUNG = "job.hung"
    """The job's process is there and does nothing: a blocked event loop, a stopped process."""
    WORKER_DIED = "worker.died"
    """The job's process is gone, and so is the worker's."""
    CLEANUP_FAILED = "cleanup.failed"
    """A rung that should have released the line did not."""

"""What a job's ways of going wrong are called: from an exception or a reason to a failure."""

from __future__ import annotations

import asyncio
import traceback

from livekit.agents import AgentSession

from onhook.faults import Fault
from onhook.incident import Failure
from onhook.redaction import described

__all__ = ["left_by", "shut_down"]

_NOT_THE_AGENT = ("parent process shutdown", "room disconnected", "job crashed")
"""Shutdown reasons that livekit-agents gives by itself (`ipc/job_proc_lazy_main.py`)."""


def left_by(error: BaseException, at: float) -> Failure:
    """Name the failure of an entrypoint that an exception left.

    Args:
        error: The exception.
        at: Seconds of a monotonic clock.
    """
    match error:
        case asyncio.CancelledError():
            fault, verb = Fault.ENTRYPOINT_CANCELLED, "was cancelled"
        case SystemExit() | KeyboardInterrupt():
            fault, verb = Fault.ENTRYPOINT_EXITED, f"left by {described(error)}"
        case BaseExceptionGroup():
            fault, verb = Fault.ENTRYPOINT_RAISED, f"raised {described(error)}"
        case _ if _came_through_start(error):
            return Failure(
                Fault.SESSION_START_FAILED, f"session.start() raised {described(error)}", at, error
            )
        case _:
            fault, verb = Fault.ENTRYPOINT_RAISED, f"raised {described(error)}"
    return Failure(fault, f"the entrypoint {verb}", at, error)


def shut_down(reason: str, at: float) -> Failure:
    """Name the failure of a job that ends with its caller still there.

    Args:
        reason: The framework's word for it.
        at: Seconds of a monotonic clock.
    """
    by = "worker" if reason in _NOT_THE_AGENT else "agent"
    detail = f"the job ended ({reason}) with the caller still on the line"
    return Failure(Fault.AGENT_SHUTDOWN, detail, at, evidence={"reason": reason, "by": by})


def _came_through_start(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is AgentSession.start.__code__ for frame, _ in frames)

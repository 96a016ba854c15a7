"""What a job's ways of going wrong are called: from an exception or a reason to a failure."""

from __future__ import annotations

import asyncio

from onhook.faults import Fault
from onhook.incident import Failure
from onhook.livekit.framework.job_internals import came_through_start, is_by_worker
from onhook.redaction import described

__all__ = ["left_by", "shut_down"]


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
        case _ if came_through_start(error):
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
    by = "worker" if is_by_worker(reason) else "agent"
    detail = f"the job ended ({reason}) with the caller still on the line"
    return Failure(Fault.AGENT_SHUTDOWN, detail, at, evidence={"reason": reason, "by": by})

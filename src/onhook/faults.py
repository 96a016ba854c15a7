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
    CLEANUP_FAILED = "cleanup.failed"
    """A rung that should have released the line did not."""

    @property
    def severity(self) -> Severity:
        """All faults of the entrypoint and the job leave nobody to speak."""
        return Severity.LOST

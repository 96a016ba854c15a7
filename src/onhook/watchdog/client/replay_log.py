"""The guard's rescue, told in frames that every later watchdog gets too."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from onhook.incident import Incident, Outcome, RungReport
from onhook.policy import RescuePolicy, plan
from onhook.redaction import masked
from onhook.watchdog.protocol.frames import encode
from onhook.watchdog.protocol.messages import TEXT, Climbed, Closed, Intent, Opened

__all__ = ["ReplayLog"]

_REMEMBERED = 64


class ReplayLog:
    """What a guard has told of the incident that it has in hand. Iterate over its frames.

    Args:
        policy: What the job would do; the incident's ladder is its.
    """

    def __init__(self, policy: RescuePolicy) -> None:
        self._policy = policy
        self._frames: deque[bytes] = deque(maxlen=_REMEMBERED)

    def __iter__(self) -> Iterator[bytes]:
        return iter(tuple(self._frames))

    def opened(self, incident: Incident) -> bytes:
        """Begin anew with an incident.

        Raises:
            ProtocolError: It does not fit into a frame.
        """
        failure = incident.failure
        self._frames.clear()
        return self._add(
            Opened(
                incident.id,
                failure.fault,
                failure.severity,
                masked(failure.detail)[:TEXT],
                failure.at,
                failure.traceback,
                plan(self._policy, incident, incident.call),
                incident.call,
            )
        )

    def intent(self, incident: Incident, rung: str) -> bytes:
        """A rung is about to be climbed."""
        return self._add(Intent(incident.id, rung))

    def climbed(self, incident: Incident, report: RungReport) -> bytes:
        """A rung has its outcome."""
        detail = masked(report.detail)[:TEXT]
        short = RungReport(report.rung, report.result, detail, report.started, report.ended)
        return self._add(Climbed(incident.id, short))

    def closed(self, incident: Incident, outcome: Outcome) -> bytes:
        """The incident is over; one that leaves the call to the agent is forgotten."""
        frame = self._add(Closed(incident.id, outcome.ending, masked(outcome.detail)[:TEXT]))
        if outcome.ending in ("kept", "recovered"):
            self._frames.clear()
        return frame

    def _add(self, message: Opened | Intent | Climbed | Closed) -> bytes:
        frame = encode(message)
        self._frames.append(frame)
        return frame

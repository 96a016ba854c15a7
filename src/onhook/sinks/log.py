"""Incidents in the log: readable lines, and the same facts as fields for machines."""

from __future__ import annotations

import logging
import sys

from onhook.faults import Severity
from onhook.incident import Incident, Outcome, Result, RungReport

__all__ = ["LoggingObserver"]


class LoggingObserver:
    """Logs to a standard logger; the fields `onhook_*` are in each record's `extra`.

    Args:
        logger: `logging.getLogger("onhook")` when omitted.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("onhook")

    def opened(self, incident: Incident) -> None:
        """Log the original error with its traceback, before anything is cleaned up."""
        level = _level(incident)
        if not self._logger.isEnabledFor(level):
            return
        call, failure = incident.call, incident.failure
        error = failure.error
        record = self._logger.makeRecord(
            *(self._logger.name, level, __file__, sys._getframe().f_lineno),
            "%s %s: %s (room %s, job %s, call %s)",
            (
                *(incident.id, incident.fault, failure.detail),
                *(call.room, call.job or "unknown", call.call_id or "unknown"),
            ),
            None if error is None else (type(error), error, error.__traceback__),
            "opened",
            _fields(incident),
        )
        # formatted already, without secrets: handlers take this text instead of their own
        record.exc_text = failure.traceback.rstrip("\n") or None
        self._logger.handle(record)

    def intent(self, incident: Incident, rung: str) -> None:
        """Log what is about to be done."""
        self._logger.debug("%s climbing %s", incident.id, rung, extra=_fields(incident, rung=rung))

    def climbed(self, incident: Incident, report: RungReport) -> None:
        """Log what a rung did."""
        done = report.result is Result.DONE
        seconds = report.ended - report.started
        self._logger.log(
            logging.INFO if done else logging.WARNING,
            "%s %s %s in %.3f s: %s",
            incident.id,
            report.rung,
            report.result,
            seconds,
            report.detail,
            extra=_fields(incident, rung=report.rung, result=report.result, seconds=seconds),
        )

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        """Log the outcome; a line that this ring could not release is an error to be seen to."""
        self._logger.log(
            logging.ERROR if outcome.ending == "handed_outward" else logging.INFO,
            "%s %s: %s",
            incident.id,
            outcome.ending,
            outcome.detail,
            extra=_fields(incident, ending=outcome.ending),
        )


def _level(incident: Incident) -> int:
    """Return how loud an incident is: an agent that ends its call on purpose is no news."""
    failure = incident.failure
    if failure.evidence.get("by") == "agent" and failure.error is None:
        return logging.INFO
    return logging.WARNING if incident.severity is Severity.IMPAIRED else logging.ERROR


def _fields(incident: Incident, **more: object) -> dict[str, object]:
    call = incident.call
    facts: dict[str, object] = {
        "incident": incident.id,
        "fault": str(incident.fault),
        "room": call.room,
        "job": call.job,
        "call": call.call_id,
        **more,
    }
    return {f"onhook_{name}": value for name, value in facts.items()}

"""Incidents in the log: readable lines, and the same facts as fields for machines."""

from __future__ import annotations

import logging

from onhook.types import Incident, Outcome, Result, RungReport

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
        call = incident.call
        self._logger.error(
            "%s %s: %s (room %s, job %s, call %s)",
            incident.id,
            incident.fault,
            incident.failure.detail,
            call.room,
            call.job or "unknown",
            call.call_id or "unknown",
            exc_info=incident.failure.error,
            extra=_fields(incident),
        )

    def intent(self, incident: Incident, rung: str) -> None:
        """Log what is about to be done."""
        self._logger.debug("%s climbing %s", incident.id, rung, extra=_fields(incident, rung=rung))

    def climbed(self, incident: Incident, report: RungReport) -> None:
        """Log what a rung did."""
        done = report.result in (Result.DONE, Result.SKIPPED)
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
        """Log the outcome; one that is not safe is an error that somebody must see to."""
        self._logger.log(
            logging.INFO if outcome.safe else logging.ERROR,
            "%s %s: %s",
            incident.id,
            outcome.ending,
            outcome.detail,
            extra=_fields(incident, ending=outcome.ending),
        )


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

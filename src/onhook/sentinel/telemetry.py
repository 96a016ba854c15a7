"""Incidents as OpenTelemetry traces: a span for each, and one below it for each rung.

Without a tracer provider of the application's, nothing is made and nothing is sent. Numbers are
masked as on the page; secrets have been masked where the events were made.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from onhook.incident import Failure, Result
from onhook.redaction import masked_numbers
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent, Resumed
from onhook.version import VERSION

__all__ = ["IncidentSpans"]

_MOST = 1_000
"""Incidents under way of which a span is kept; of more the oldest are ended as they are."""
_NANO = 1_000_000_000


@dataclass(slots=True)
class _Trace:
    """The spans of one incident that are not ended."""

    span: Span
    ahead: float
    """Seconds by which the wall clock is ahead of the monotonic one on the host that told it."""
    rung: Span | None = None


class IncidentSpans:
    """Makes spans of the events of rescues. A `Sink`, for all incidents together.

    Args:
        tracer: Makes them; that of the global tracer provider, whenever it is set, when omitted.
        mask: Returns a text with its numbers as they may be shown.
        leads: Whether it is for this sentinel to begin a span now: of several, that hear of the
            same incidents, one does.
    """

    def __init__(
        self,
        tracer: Tracer | None = None,
        *,
        mask: Callable[[str], str] = masked_numbers,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._tracer = tracer or trace.get_tracer("onhook", VERSION)
        self._mask = mask
        self._leads = leads
        self._traces: OrderedDict[str, _Trace] = OrderedDict()

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`. What is told again by who goes on makes no second span."""
        known = self._traces.get(event.incident)
        if known is None:
            if isinstance(event, Opened) and self._leads():
                self._open(event)
            return
        match event:
            case Intent():
                self._begin_rung(known, event)
            case Climbed():
                self._end_rung(known, event)
            case Resumed():
                told = {"onhook.ring": str(event.ring), "onhook.rung": event.rung}
                self._tell(known.span, "resumed", event, told, event.detail)
            case Closed():
                self._close(known, event)

    def _open(self, event: Opened) -> None:
        failure, call = event.failure, event.call
        ahead = event.wall - event.at
        attributes: dict[str, AttributeValue] = {
            "onhook.incident": event.incident,
            "onhook.fault": str(failure.fault),
            "onhook.severity": str(failure.severity),
            "onhook.ring": str(event.ring),
            "onhook.mode": event.mode,
            "onhook.detail": self._mask(failure.detail),
            "onhook.ladder": tuple(rung.name for rung in event.ladder.rungs),
            "onhook.room": self._mask(call.room),
            "onhook.job": call.job,
            "onhook.call": call.call_id,
        }
        span = self._tracer.start_span(
            "onhook.incident",
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            start_time=_nano(failure.at + ahead),
        )
        if failure.traceback:
            self._tell(span, "exception", event, self._exception(failure), "")
        self._traces[event.incident] = _Trace(span, ahead)
        while len(self._traces) > _MOST:
            _, oldest = self._traces.popitem(last=False)
            oldest.span.end()

    def _begin_rung(self, known: _Trace, event: Intent) -> None:
        if known.rung is not None:  # nobody knows how it ended
            known.rung.end(end_time=_nano(event.wall))
        known.rung = self._rung(known, event.rung, event.wall)

    def _end_rung(self, known: _Trace, event: Climbed) -> None:
        report = event.report
        span = known.rung or self._rung(known, report.rung, event.wall - _seconds(event))
        known.rung = None
        span.set_attributes(
            {"onhook.result": str(report.result), "onhook.detail": self._mask(report.detail)}
        )
        if report.result is not Result.DONE:
            span.set_status(Status(StatusCode.ERROR, str(report.result)))
        span.end(end_time=_nano(event.wall))

    def _close(self, known: _Trace, event: Closed) -> None:
        del self._traces[event.incident]
        if known.rung is not None:
            known.rung.end(end_time=_nano(event.wall))
        span = known.span
        span.set_attributes(
            {
                "onhook.outcome": event.ending,
                "onhook.outcome.detail": self._mask(event.detail),
                "onhook.outcome.ring": str(event.ring),
            }
        )
        if event.ending == "handed_outward":
            span.set_status(Status(StatusCode.ERROR, "the line was not released"))
        span.end(end_time=_nano(event.wall))

    def _rung(self, known: _Trace, rung: str, wall: float) -> Span:
        return self._tracer.start_span(
            f"onhook.{rung}",
            context=trace.set_span_in_context(known.span),
            attributes={"onhook.rung": rung},
            start_time=_nano(wall),
        )

    def _exception(self, failure: Failure) -> dict[str, str]:
        """Return an exception by OpenTelemetry's semantic conventions, `exception.*`."""
        *_, last = failure.traceback.strip().splitlines()
        kind, _, message = last.partition(": ")
        return {
            "exception.type": kind,
            "exception.message": self._mask(message),
            "exception.stacktrace": self._mask(failure.traceback),
        }

    def _tell(
        self, span: Span, name: str, event: RescueEvent, told: dict[str, str], detail: str
    ) -> None:
        more = {"onhook.detail": self._mask(detail)} if detail else {}
        span.add_event(name, {**told, **more}, timestamp=_nano(event.wall))


def _seconds(event: Climbed) -> float:
    return max(0.0, event.report.ended - event.report.started)


def _nano(wall: float) -> int:
    return int(wall * _NANO)

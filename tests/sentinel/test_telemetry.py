"""Spans of incidents, as an exporter of OpenTelemetry's SDK gets them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from onhook.call import Call, Leg, LegKind, LineState
from onhook.faults import Fault
from onhook.incident import Ending, Failure, Result, RungReport
from onhook.ladder import Ladder
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent, Resumed, Ring
from onhook.rungs import HangUp, Say
from onhook.sentinel import telemetry
from onhook.sentinel.telemetry import IncidentSpans

ROOM = "call-_+15550100_Xy"
WALL = 1_700_000_000.0
SECRET = "sk-very-secret-value"
"""Of a variable of the environment."""


class Spans:
    def __init__(self, *events: RescueEvent) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.sink = IncidentSpans(provider.get_tracer("onhook"))
        for event in events:
            self.sink.handle(event)

    @property
    def ended(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def __getitem__(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self.ended if span.name == name)
        return span


def opened(incident: str = "inc_1") -> Opened:
    try:
        raise RuntimeError(f"no answer for +15550100 with {SECRET}")
    except RuntimeError as error:
        failure = Failure(Fault.LLM_FAILED, "the model failed for +15550100", 98.5, error)
    caller = Leg("sip_1", LegKind.CALLER, LineState.ACTIVE, call_id="SCL_1")
    return Opened(
        incident=incident,
        at=100.0,
        wall=WALL,
        ring=Ring.GUARD,
        failure=failure,
        call=Call(ROOM, (caller,), job="AJ_1"),
        ladder=Ladder((Say(), HangUp())),
    )


def intent(rung: str, after: float) -> Intent:
    return Intent(incident="inc_1", at=100 + after, wall=WALL + after, ring=Ring.GUARD, rung=rung)


def climbed(rung: str, after: float, result: Result = Result.DONE) -> Climbed:
    at = 100 + after
    report = RungReport(rung, result, "told +15550100 so", at - 1.0, at)
    return Climbed(incident="inc_1", at=at, wall=WALL + after, ring=Ring.GUARD, report=report)


def closed(after: float, ending: Ending = "released", ring: Ring = Ring.GUARD) -> Closed:
    return Closed(
        incident="inc_1", at=100 + after, wall=WALL + after, ring=ring, ending=ending, detail="gone"
    )


def nano(after: float) -> int:
    return int((WALL + after) * 1e9)


WHOLE = (
    *(intent("say", 0.1), climbed("say", 2.5)),
    *(intent("hang_up", 2.5), climbed("hang_up", 2.6), closed(2.7)),
)


def test_an_incident_is_one_span_with_its_rungs_below_it() -> None:
    spans = Spans(opened(), *WHOLE)
    incident = spans["onhook.incident"]
    assert incident.parent is None
    assert (incident.start_time, incident.end_time) == (nano(-1.5), nano(2.7)), "from the fault on"
    attributes = dict(incident.attributes or {})
    assert attributes["onhook.fault"] == "llm.failed"
    assert attributes["onhook.outcome"] == "released"
    assert attributes["onhook.ladder"] == ("say", "hang_up")
    assert attributes["onhook.job"] == "AJ_1"
    assert incident.status.status_code is StatusCode.UNSET
    for name, began, ended in (("say", 0.1, 2.5), ("hang_up", 2.5, 2.6)):
        rung = spans[f"onhook.{name}"]
        assert rung.parent is not None
        assert rung.parent.span_id == incident.context.span_id
        assert (rung.start_time, rung.end_time) == (nano(began), nano(ended))


def test_no_number_and_no_secret_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_API_KEY", SECRET)
    spans = Spans(opened(), *WHOLE)
    (error,) = spans["onhook.incident"].events
    assert error.name == "exception"
    assert dict(error.attributes or {})["exception.type"] == "RuntimeError"
    text = " ".join(span.to_json() for span in spans.ended)
    assert "exception.stacktrace" in text
    for private in ("5550100", SECRET):
        assert private not in text


def test_a_rung_that_fails_and_a_line_that_is_not_released_are_errors() -> None:
    spans = Spans(
        opened(),
        *(intent("hang_up", 0.1), climbed("hang_up", 5.0, Result.TIMED_OUT)),
        closed(5.1, "handed_outward"),
    )
    assert spans["onhook.hang_up"].status.status_code is StatusCode.ERROR
    assert spans["onhook.incident"].status.status_code is StatusCode.ERROR


def test_who_goes_on_goes_on_in_the_same_span() -> None:
    again = Resumed(
        incident="inc_1", at=104.0, wall=WALL + 4, ring=Ring.WATCHDOG, rung="say", detail="it died"
    )
    told = (opened(), intent("say", 0.1))
    spans = Spans(*told, *told, again, *WHOLE[2:-1], closed(6.0, ring=Ring.WATCHDOG))
    incident = spans["onhook.incident"]
    assert "resumed" in [event.name for event in incident.events]
    assert dict(incident.attributes or {})["onhook.outcome.ring"] == "watchdog"
    assert [span.name for span in spans.ended].count("onhook.say") == 2
    assert all(span.end_time is not None for span in spans.ended)


def test_a_rung_whose_beginning_was_not_told_is_as_long_as_it_took() -> None:
    spans = Spans(opened(), climbed("say", 2.5), closed(3.0))
    assert spans["onhook.say"].start_time == nano(1.5)


def test_what_never_ends_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_MOST", 3)
    spans = Spans(*(opened(f"inc_{number}") for number in range(10)))
    assert len(spans.ended) == 7


def test_what_was_not_opened_here_is_left_out() -> None:
    assert Spans(*WHOLE).ended == ()


def test_without_a_provider_nothing_is_made() -> None:
    sink = IncidentSpans()
    for event in (opened(), *WHOLE):
        sink.handle(event)
    assert not trace.get_tracer("onhook").start_span("any").is_recording()

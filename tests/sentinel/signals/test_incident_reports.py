from __future__ import annotations

import time

import msgspec
import pytest

from onhook.incident import Incident
from onhook.rescue.events import RescueEvent
from onhook.sentinel.signals.incident_reports import IncidentReports
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.watchdog.protocol.sentinel_messages import EventReport, ToldEvent, to_body
from tests.fakes import ROOM, call_of, caller
from tests.rescue.telling import intent, opened
from tests.sentinel.signals.events import KEY, SECRET, lease_token
from tests.watchdog.test_job_table import FAILURE
from tests.watchdog.test_lease import OPENED


def now(event: RescueEvent, ago: float = 0.0) -> RescueEvent:
    return msgspec.structs.replace(event, wall=time.time() - ago)


def body(*events: RescueEvent, host: str = "host-1", room: str = ROOM) -> bytes:
    return to_body(EventReport(host, tuple(ToldEvent.of(room, event) for event in events)))


@pytest.fixture
def reports() -> IncidentReports:
    return IncidentReports(SignedBodies({KEY: SECRET}))


def refused(reports: IncidentReports, told: bytes) -> Reason:
    token = reports.token(lease_token(told))
    with pytest.raises(RefusedError) as caught:
        reports.receive(token, told)
    return caught.value.reason


def test_events_are_read_and_a_report_that_comes_again_is_harmless(
    reports: IncidentReports,
) -> None:
    told = body(event := now(intent("inc_1", "say")))
    token = reports.token(lease_token(told))
    for _ in range(2):
        (seen,) = reports.receive(token, told)
        assert (seen.room, seen.host, seen.event) == (ROOM, "host-1", event)


def test_an_opening_brings_its_call_and_its_traceback_redacted(reports: IncidentReports) -> None:
    told = body(now(opened(Incident(FAILURE, call_of(caller()), "inc_1"), OPENED.ladder)))
    (seen,) = reports.receive(reports.token(lease_token(told)), told)
    assert seen.event == msgspec.structs.replace(
        opened(Incident(FAILURE, call_of(caller()), "inc_1"), OPENED.ladder), wall=seen.event.wall
    )


def test_one_event_that_cannot_be_read_keeps_no_other_away(reports: IncidentReports) -> None:
    strange = ToldEvent(ROOM, msgspec.Raw(b'{"kind":"newer","incident":"inc_1"}'))
    good = ToldEvent.of(ROOM, now(intent("inc_1", "say")))
    told = to_body(EventReport("host-1", (strange, good)))
    assert len(reports.receive(reports.token(lease_token(told)), told)) == 1
    assert reports.unknown == 1


@pytest.mark.parametrize("ago", [8 * 86_400.0, -3_600.0])
def test_events_of_another_time_are_left_out(reports: IncidentReports, ago: float) -> None:
    told = body(now(intent("inc_1", "say"), ago))
    assert reports.receive(reports.token(lease_token(told)), told) == []
    assert reports.unknown == 1


def test_nonsense_is_refused(reports: IncidentReports) -> None:
    assert refused(reports, b"{}") is Reason.MALFORMED
    assert refused(reports, b"[" * 10_000) is Reason.MALFORMED
    assert refused(reports, body(host="")) is Reason.MALFORMED
    assert refused(reports, body(host="h" * 600)) is Reason.MALFORMED
    assert refused(reports, body(*[now(intent("i", "say"))] * 201)) is Reason.OVERSIZED
    assert refused(reports, b"x" * (reports.longest + 1)) is Reason.OVERSIZED


def test_another_body_or_a_long_token_is_refused(reports: IncidentReports) -> None:
    told = body(now(intent("inc_1", "say")))
    token = reports.token(lease_token(b"another"))
    with pytest.raises(RefusedError) as caught:
        reports.receive(token, told)
    assert caught.value.reason is Reason.FORGED
    with pytest.raises(RefusedError):
        reports.token(None)

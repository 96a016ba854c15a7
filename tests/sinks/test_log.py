"""How loud an incident is in the log."""

from __future__ import annotations

import logging

import pytest

from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident
from onhook.sinks.log import LoggingObserver
from tests.fakes import call_of, caller

BY_AGENT, BY_WORKER = {"by": "agent"}, {"by": "worker"}


@pytest.mark.parametrize(
    ("failure", "level"),
    [
        (Failure(Fault.AGENT_SHUTDOWN, "goodbye", 0.0, evidence=BY_AGENT), logging.INFO),
        (Failure(Fault.AGENT_SHUTDOWN, "a deploy", 0.0, evidence=BY_WORKER), logging.ERROR),
        (
            Failure(Fault.LLM_STALLED, "slow", 0.0, severity=Severity.IMPAIRED),
            logging.WARNING,
        ),
        (Failure(Fault.ENTRYPOINT_RAISED, "raised", 0.0, ValueError("x")), logging.ERROR),
    ],
)
def test_an_agent_that_ends_its_own_call_is_no_error(
    failure: Failure, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "onhook"):
        LoggingObserver().opened(Incident(failure, call_of(caller())))
    assert [record.levelno for record in caplog.records] == [level]

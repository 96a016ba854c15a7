"""What stays behind of a job that is lost."""

from __future__ import annotations

import os

import pytest

from onhook.policy import Policy
from onhook.watchdog.daemon.liveness import Pulse
from onhook.watchdog.daemon.watched_job import Job, evidence
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Beat, Hello
from onhook.watchdog.protocol.peer import Process

HELLO = Hello("room", "AJ_1", "agent-1", 7, JobPolicy.of(Policy()))


@pytest.mark.parametrize(
    ("news", "agent", "audible"),
    [
        (Beat(0.25, "speaking", 90.0), "speaking", "10.0 s ago, as it told 2.0 s ago"),
        (Beat(0.25, "speaking", 101.5), "speaking", "0.0 s ago, as it told 2.0 s ago"),
        (Beat(0.25, ""), "unknown", "unknown"),
    ],
    ids=["it was heard", "its words were still to come", "it was being set up"],
)
def test_it_says_what_the_agent_did_and_when_it_was_heard(
    news: Beat, agent: str, audible: str
) -> None:
    job = Job(HELLO, Process(os.getpid()), Pulse(97.0), news, 98.0)
    facts = evidence(job, 100.0)
    job.process.close()
    assert facts["agent"] == agent
    assert facts["last_audible"] == audible
    assert facts["last_beat"] == "3.00 s ago"
    assert facts["loop_lag"] == "0.250 s"
    assert facts["pid"] == str(os.getpid())

from __future__ import annotations

import logging

import msgspec
import pytest

from onhook.faults import Fault
from onhook.incident import Failure
from onhook.rescue.event_codec import encode
from onhook.rescue.events import Climbed, Closed, Opened, Ring
from onhook.sentinel.fleet.kept_events import read, translated
from tests.sentinel.fleet.telling import climbed, intent, opened

WALL = 1.7e9
"""What `telling` takes for the time of the day at 0 of its monotonic clock."""


def test_events_of_this_host_stay_as_they_are_to_the_last_digit() -> None:
    told = (opened(), intent(), climbed())
    assert translated(told, clock=lambda: 500.0, wall=lambda: WALL + 503.0) == told


def test_times_of_another_host_become_those_of_this_one() -> None:
    """Its clock began 1,000 s after ours: what was at 2 there is at 1,002 here."""
    failed = Failure(Fault.CLEANUP_FAILED, "no answer", 4.0)
    about = {"incident": "inc", "at": 4.0, "wall": WALL + 4.0, "ring": Ring.SENTINEL}
    closed = Closed(**about, ending="handed_outward", detail="", failure=failed)  # type: ignore[arg-type]
    told = [opened(), intent(), climbed(), closed]
    moved = translated(told, clock=lambda: 1_500.0, wall=lambda: WALL + 500.0)
    assert [event.at for event in moved] == [1001.0, 1002.0, 1003.0, 1004.0]
    assert [event.wall for event in moved] == [event.wall for event in told]
    first, _, third, last = moved
    assert isinstance(first, Opened)
    assert first.failure.at == 1001.0
    assert first.happened.failure.evidence == {"since": "8 s"}
    assert isinstance(third, Climbed)
    assert (third.report.started, third.report.ended) == (1002.0, 1003.0)
    assert isinstance(last, Closed)
    assert last.failure is not None
    assert last.failure.at == 1004.0


def test_what_a_newer_sentinel_tells_is_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    newer = msgspec.json.encode({"kind": "paused", "incident": "inc", "at": 1.0})
    with caplog.at_level(logging.WARNING):
        found = read("RM_1", [encode(opened()), newer, b"\xff", encode(intent())])
    assert list(found) == [opened(), intent()]
    assert caplog.text.count("RM_1: an event of the rescue is left out") == 2

from __future__ import annotations

from pathlib import Path

import pytest

from onhook.faults import Fault
from onhook.sentinel.detectors import TABLE, Row
from onhook.sentinel.detectors.__main__ import table

DOCS = Path(__file__).parents[3] / "docs" / "sentinel-judgement.md"


def test_the_table_in_the_docs_is_the_one_that_is_applied() -> None:
    assert f"```\n{table()}\n```" in DOCS.read_text()


def test_a_terminal_shows_every_line_whole() -> None:
    assert max(map(len, table().splitlines())) <= 80


def test_every_fault_of_this_ring_has_its_row() -> None:
    assert {row.fault for row in TABLE if row.fault is not None} == {
        Fault.AGENT_ABSENT,
        Fault.AGENT_ZOMBIE,
        Fault.CALL_ABANDONED_LEGS,
        Fault.CALL_OVERLONG,
        Fault.HOST_LOST,
        Fault.OUTBOUND_LATE_ANSWER,
        Fault.RESCUER_DIED,
    }


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.state)
def test_a_row_is_judged_or_left_alone(row: Row) -> None:
    assert (row.judge is None) == (row.fault is None)
    assert row.why

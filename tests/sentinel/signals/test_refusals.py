from __future__ import annotations

import logging

import pytest

from onhook.sentinel.signals.refusals import Reason, Refusals, RefusedError


def test_each_is_counted_and_one_a_minute_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = Refusals("webhook", clock=lambda: now[0])
    with caplog.at_level(logging.INFO, "onhook"):
        for _ in range(50):
            refusals.add(RefusedError(Reason.FORGED, "by nobody"))
        refusals.add(RefusedError(Reason.STALE, "old"))
        refusals.add(RefusedError(Reason.REPLAYED, "again"))  # that is every day's
        now[0] = 61.0
        refusals.add(RefusedError(Reason.FORGED, "by nobody"))
    assert refusals.counts == {Reason.FORGED: 51, Reason.STALE: 1, Reason.REPLAYED: 1}
    assert [record.getMessage() for record in caplog.records] == [
        "a webhook was refused: forged: by nobody",
        "a webhook was refused: stale: old",
        "a webhook was refused: forged: by nobody (49 more since the last such line)",
    ]

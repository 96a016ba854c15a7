from __future__ import annotations

import time

import pytest

from onhook.faults import Fault
from onhook.incident import Failure


def test_a_message_of_megabytes_costs_nothing_and_no_secret_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANY_API_KEY", "hidden-hidden")
    error = RuntimeError("hidden-hidden " + "k: v, " * 1_600_000)
    began = time.perf_counter()
    told = Failure(Fault.ENTRYPOINT_RAISED, str(error), 0.0, error, {"body": str(error)})
    assert time.perf_counter() - began < 0.4
    for text in (told.detail, told.evidence["body"]):
        assert text.startswith("[ANY_API_KEY] k: v")
        assert len(text) <= 4_000
    assert "hidden" not in told.traceback

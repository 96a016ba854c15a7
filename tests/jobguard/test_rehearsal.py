"""The rehearsal of a rescue, beside a call that is well."""

from __future__ import annotations

import pytest

from onhook.jobguard.rehearsal import rehearse
from onhook.policy import Policy
from tests.fakes import Act, FakeLine, call_of, caller, fails, refused
from tests.jobguard.fakes import opening


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([], 0),
        ([fails(refused())], 1),
        ([fails(ValueError("odd"))], 1),
    ],
    ids=["all is well", "the key is refused", "something odd"],
)
async def test_what_would_refuse_a_rescue_is_told_while_all_is_well(
    checks: list[Act], said: int, caplog: pytest.LogCaptureFixture
) -> None:
    call = call_of(caller())
    line = FakeLine(call)
    line.checks = checks or line.checks
    await rehearse(Policy(), call, opening(line))
    told = [r for r in caplog.records if "a rescue of this call would fail" in r.getMessage()]
    assert len(told) == said
    assert line.asked == [], "nothing is done to the call"

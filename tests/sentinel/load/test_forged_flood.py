"""Forged webhooks by the thousands over HTTP: refused, counted, logged once, and nobody waits."""

from __future__ import annotations

import logging

import pytest

from tests.sentinel.load.api_stand_in import SECRET
from tests.sentinel.load.forged_flood import FORGERS, GENUINE, flood

FORGED = 800
MOST = 3.0 * FORGERS
"""So many times slower a genuine one may be: it waits for those that were there before it, and no
longer. Both ends share a loop here."""


async def test_forged_ones_do_not_keep_the_genuine_ones_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "onhook"):
        found = await flood(FORGED)
    print(f"\n{found.beside / found.alone:.1f} times as slow")  # noqa: T201
    assert found.receiver.refused["webhook"].counts == {"forged": FORGED}
    assert found.calls == 2 * GENUINE
    assert found.beside <= MOST * found.alone
    assert len([r for r in caplog.records if "refused" in r.message]) == 1
    assert found.token not in caplog.text
    assert SECRET not in caplog.text

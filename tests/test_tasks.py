from __future__ import annotations

import asyncio

import pytest

from onhook.tasks import end


async def test_what_tasks_raise_is_in_the_log_once_they_are_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError("a bug of ours")

    broken = asyncio.create_task(breaks())
    waits = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    await end(broken, waits)
    assert waits.cancelled()
    assert "a bug of ours" in caplog.text
    assert len(caplog.records) == 1

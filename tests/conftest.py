from __future__ import annotations

import asyncio
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from onhook.livekit.framework.rtc_exit import exit_after_callbacks

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")  # on a shared machine any one example may take its time

exit_after_callbacks()  # phones of some cases and lines of tests use rtc in this process

os.environ["ONHOOK_WATCHDOG"] = "off"
"""No test leaves a watchdog behind; those that are about it have one of their own."""

if sys.version_info < (3, 12):
    os.environ["LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS"] = "0"
    """Jobs run as the README advises for a Python that livekit's loop monitor can crash."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave `--reruns` to live calls: a shared machine may stand still in any of them."""
    for item in items:
        if item.get_closest_marker("stack") is None:
            item.add_marker(pytest.mark.flaky(reruns=0))


@pytest.fixture(scope="session", autouse=True)
def no_stray_loop() -> None:
    """Keep the looptime plugin from making an event loop that nobody closes."""
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session", autouse=True)
def no_journal_at_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests do to callers out of the journal of whoever runs them."""
    os.environ["ONHOOK_JOURNAL"] = str(tmp_path_factory.mktemp("journal") / "incidents.db")

from __future__ import annotations

import asyncio
import os

import pytest

os.environ["ONHOOK_WATCHDOG"] = "off"
"""No test leaves a watchdog behind; those that are about it have one of their own."""


@pytest.fixture(scope="session", autouse=True)
def no_stray_loop() -> None:
    """Keep the looptime plugin from making an event loop that nobody closes."""
    asyncio.set_event_loop(None)

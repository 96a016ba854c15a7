from __future__ import annotations

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_stray_loop() -> None:
    """Keep the looptime plugin from making an event loop that nobody closes."""
    asyncio.set_event_loop(None)

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from onhook.bench.stack import Route, Stack
from onhook.bench.stack.config import Keys
from tests.doctor.planting import AGENT, Bench, closed_port

OTHER_KEYS = Keys()
"""A second key that the server knows; its webhooks are signed with the first."""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is sound: nothing of the real one's."""
    for name in list(os.environ):
        if name.startswith(("ONHOOK_", "LIVEKIT_")) and name not in _KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("ONHOOK_JOURNAL", str(tmp_path / "state" / "incidents.db"))
    monkeypatch.setenv("ONHOOK_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")


_KEPT = (
    *("ONHOOK_BIN_DIR", "ONHOOK_REDIS_SERVER", "ONHOOK_LIVEKIT_SERVER", "ONHOOK_LIVEKIT_SIP"),
    "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS",
)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """The real servers with one sound route, once for all plants."""
    port = closed_port()
    async with Stack(
        [Route("+15550100", AGENT)],
        folder=tmp_path_factory.mktemp("doctor-stack"),
        next_keys=OTHER_KEYS,
        webhooks=[f"http://127.0.0.1:{port}/webhook"],
    ) as stack:
        yield Bench(stack, port)


@pytest_asyncio.fixture(loop_scope="session")
async def bench(running: Bench) -> AsyncIterator[Bench]:
    """The same, without what another test has planted."""
    try:
        yield running
    finally:
        await running.clear()

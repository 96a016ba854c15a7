from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from onhook.bench.stack import Stack
from tests.line.bench import Bench, worker
from tests.sentinel.line.sentinels import RunningSentinel, free_port, sentinel


@dataclass
class Recorded:
    """The servers, guarded agents whose watchdog tells the sentinel, and that sentinel."""

    bench: Bench
    sentinel: RunningSentinel


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def recorded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Recorded]:
    folder, port = tmp_path_factory.mktemp("records"), free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        Stack(folder=folder / "stack", webhooks=[f"{url}/webhook"]) as stack,
        sentinel(stack, folder / "sentinel", port) as watching,
    ):
        (folder / "worker").mkdir()
        env = {"ONHOOK_TEST_IDLE": "3", "ONHOOK_SENTINEL": url}
        async with worker(stack, folder / "worker", **env) as running:
            yield Recorded(Bench(stack, running), watching)

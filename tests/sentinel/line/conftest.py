from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from onhook.bench.stack import Stack
from tests.line.bench import Bench, worker


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The real servers, once for all tests of the sentinel."""
    async with Stack(folder=tmp_path_factory.mktemp("sentinel-stack")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """The servers and a worker whose jobs fail as they are told to."""
    folder = tmp_path_factory.mktemp("sentinel-worker")
    async with worker(stack, folder, ONHOOK_TEST_IDLE="4") as running:
        yield Bench(stack, running)

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from onhook.bench.stack import Stack
from tests.line.bench import Bench, Worker, worker
from tests.sentinel.line.sentinels import RunningSentinel, free_port, sentinel

SHORT, LONGEST = "+15550901", 6
"""A number whose calls may last so many seconds, by the sentinel's file of plans."""
LIMITED = "limited-"
"""Rooms whose calls may last as long."""
PAIR, TWO_LEGS = "+15550902", 5
"""One whose callers may be alone with each other for so many seconds."""


@dataclass
class Watched:
    """The servers, and a sentinel at its defaults that watches them."""

    stack: Stack
    sentinel: RunningSentinel


@pytest.fixture(scope="session")
def port() -> int:
    """Where sentinels listen for the servers' webhooks."""
    return free_port()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory, port: int) -> AsyncIterator[Stack]:
    """The real servers, once for all tests of the sentinel."""
    folder = tmp_path_factory.mktemp("sentinel-stack")
    async with Stack(folder=folder, webhooks=[f"http://127.0.0.1:{port}/webhook"]) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def watched(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, port: int
) -> AsyncIterator[Watched]:
    """The servers and a sentinel, once for all tests that need nothing else of it."""
    folder = tmp_path_factory.mktemp("sentinel")
    plans = folder / "plans.toml"
    plans.write_text(
        f'[[plan]]\nmatch.number = "{SHORT}"\nmax_call = {LONGEST}\n'
        f'[[plan]]\nmatch.room_prefix = "{LIMITED}"\nmax_call = {LONGEST}\n'
        f'[[plan]]\nmatch.number = "{PAIR}"\ntwo_legs = {TWO_LEGS}\n'
    )
    async with sentinel(stack, folder, port, "--plans", str(plans)) as running:
        yield Watched(stack, running)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plain(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worker]:
    """A worker whose agents know nothing of onhook."""
    folder = tmp_path_factory.mktemp("plain-worker")
    async with worker(stack, folder, "tests.agents.plain", ONHOOK_TEST_IDLE="2") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """The servers and a worker whose jobs fail as they are told to."""
    folder = tmp_path_factory.mktemp("sentinel-worker")
    async with worker(stack, folder, ONHOOK_TEST_IDLE="4") as running:
        yield Bench(stack, running)

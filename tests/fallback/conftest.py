from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from onhook.bench.simulator import Script, Simulator
from tests.fallback.pair import FIRST, HEARD_FIRST, HEARD_SECOND, SECOND, Pair


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Two providers behind the real plugin; the first one is to fail."""
    async with AsyncExitStack() as stack:
        first = Script(answers=(FIRST,), heard=(HEARD_FIRST,))
        second = Script(answers=(SECOND,), heard=(HEARD_SECOND,))
        simulators = [await stack.enter_async_context(Simulator(each)) for each in (first, second)]
        running = Pair(*simulators)
        stack.push_async_callback(running.aclose)
        yield running

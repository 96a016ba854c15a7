from __future__ import annotations

import asyncio
import threading

from onhook.threads import in_thread


async def test_threads_that_the_agent_has_parked_keep_nothing_of_ours_waiting() -> None:
    free = threading.Event()
    parked = [asyncio.create_task(asyncio.to_thread(free.wait)) for _ in range(40)]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await in_thread(int, "7") == 7
    finally:
        free.set()
        await asyncio.gather(*parked)

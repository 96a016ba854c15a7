"""Many links in one process, to see what they cost. `python -m tests.watchdog.crowd URL COUNT`."""

from __future__ import annotations

import asyncio
import os
import sys

from onhook.policy import Policy
from onhook.watchdog import Link
from onhook.watchdog.protocol.messages import Hello
from onhook.watchdog.protocol.version import our_version


async def main(url: str, count: int) -> None:
    links = []
    for number in range(count):
        job = f"AJ_{number}"
        link = Link(
            Hello(f"room-{number}", job, "agent", url, os.getppid(), our_version(), Policy())
        )
        await link.start()
        links.append(link)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

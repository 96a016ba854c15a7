"""Many links in one process, to see what they cost. `python -m tests.watchdog.crowd COUNT`."""

from __future__ import annotations

import asyncio
import os
import sys

from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.watchdog import Link
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Hello


async def main(count: int) -> None:
    links = []
    for number in range(count):
        job = f"AJ_{number}"
        link = Link(
            Hello(f"room-{number}", job, "agent", os.getppid(), JobPolicy.of(Policy())),
            Credentials.from_env(),
        )
        await link.start()
        links.append(link)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""What a watchdog costs before it listens, and before its first rescue: in a process of its own."""

from __future__ import annotations

import asyncio
import sys

import pytest

HEAVY = ("aiohttp", "livekit.api", "livekit.rtc", "google.protobuf", "numpy")
BEFORE_LISTENING = f"""
import sys
import onhook.sinks.journal, onhook.watchdog.__main__, onhook.watchdog.daemon.process
print([name for name in {HEAVY} if name in sys.modules])
"""
ADDRESS_SPACE = 400
"""MB. It would be 570 with a pool of memory for each of LiveKit's threads."""
BEFORE_SPEAKING = """
import asyncio
import onhook.watchdog.__main__ as program
program._share_memory()
from livekit import rtc
import onhook.livekit.bounded_line

async def main():
    rtc.LocalAudioTrack.create_audio_track("words", rtc.AudioSource(24_000, 1))
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmPeak")).split()[1])

asyncio.run(main())
"""


async def output(program: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", program),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    async with asyncio.timeout(30.0):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def test_a_watchdog_listens_before_it_loads_what_a_rescue_needs() -> None:
    assert await output(BEFORE_LISTENING) == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's pools, and Linux' proc")
async def test_what_an_announcement_needs_fits_under_a_memory_limit() -> None:
    assert int(await output(BEFORE_SPEAKING)) < ADDRESS_SPACE * 1000

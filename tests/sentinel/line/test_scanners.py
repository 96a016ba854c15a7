"""SIPp as a scanner, a client that nobody here wrote: never answered, removed, counted apart."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from onhook.bench.stack import Stack
from onhook.sinks.journal import Step
from tests.bench.phone.test_sipp import free_port as free_sip_port
from tests.sentinel.line.sentinels import free_port, sentinel
from tests.sentinel.line.test_hosts import without_trunks
from tests.sentinel.line.test_rows import NOISE, tell

pytestmark = [
    pytest.mark.stack,
    pytest.mark.case,
    pytest.mark.sipp,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="needs SIPp (apt install sip-tester)"),
    pytest.mark.asyncio(loop_scope="session"),
]

SCENARIO = Path(__file__).parent / "sipp" / "scanner.xml"
FLOOD, RATE = 30, 15
"""Calls, and how many begin in a second."""
BURST, A_SECOND = 20, 1.0
"""Scanners that are removed at once, and after that in a second (`onhook.sentinel.scanners`)."""
REMOVED = 9.0
GIVES_UP = 20.0
"""Seconds after which a scanner that still rings cancels."""


async def test_one_scanner_is_removed(tmp_path: Path) -> None:
    told, seconds = await scanned(tmp_path, calls=1)
    tell("SIPp: the scanner was removed", seconds)
    assert seconds <= REMOVED + 2 * NOISE
    assert told["scanners"] == 1


async def test_a_flood_of_scanners_does_not_take_the_api_away_from_callers(tmp_path: Path) -> None:
    told, seconds = await scanned(tmp_path, calls=FLOOD)
    tell(f"SIPp: of {FLOOD} scanners {told['scanners']} were removed, the others gave up,", seconds)
    assert 1 <= told["scanners"] <= BURST + A_SECOND * (seconds + NOISE)
    assert told["api_spent"]["members"] <= 2 * FLOOD, "they are listed again and again"
    assert "confirm" not in told["api_held_back"]


async def scanned(folder: Path, *, calls: int) -> tuple[dict[str, Any], float]:
    """Have a sentinel scanned; return its status, and how long SIPp took."""
    port = free_port()
    hook = f"http://127.0.0.1:{port}/webhook"
    async with (
        Stack(folder=folder / "stack", webhooks=[hook]) as stack,
        sentinel(stack, folder / "sentinel", port) as running,
    ):
        await without_trunks(stack)
        assert stack.sip_address
        began = asyncio.get_running_loop().time()
        process = await asyncio.create_subprocess_exec(
            *("sipp", "-sf", str(SCENARIO), "-i", "127.0.0.1", "-p", str(free_sip_port())),
            *("-mp", str(free_sip_port()), "-nostdin", "-timeout", "60s", "-timeout_error"),
            *("-m", str(calls), "-l", str(calls), "-r", str(RATE), "-s", "100", stack.sip_address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
        )
        try:
            async with asyncio.timeout(90.0):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        seconds = asyncio.get_running_loop().time() - began
        assert process.returncode == 0, said.decode(errors="replace")[-3000:]
        status = await running.status()
        assert running.entries(Step.OPENED) == [], "a scanner is no incident"
        assert status["second_dispatches"] == 0
    return status, seconds

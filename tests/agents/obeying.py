"""Agents that fail in the way and at the moment that a data message tells them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import JobContext

LONG = 30
"""Seconds for which a loop is blocked; LiveKit itself kills a job after 60."""


def note(event: str, scenario: str = "", **more: object) -> None:
    """Write an event and when it was (see `tests.agents.faults.note`; this knows no onhook)."""
    line = json.dumps({"event": event, "at": time.monotonic(), "id": scenario, **more})
    with Path(os.environ["ONHOOK_TEST_EVENTS"]).open("a") as file:
        file.write(line + "\n")


def late(scenario: dict[str, Any]) -> float:
    """Return for how long this job is late: of a call's jobs each has its own, by their order."""
    if "late" not in scenario:
        return 0.0
    told, _, _ = Path(os.environ["ONHOOK_TEST_EVENTS"]).read_text().rpartition("\n")
    events = map(json.loads, told.splitlines())
    before = sum(e["event"] == "started" and e["id"] == scenario["id"] for e in events)
    note("started", scenario["id"])
    seconds: list[float] = scenario.get("late", [])
    return seconds[before] if before < len(seconds) else 0.0


def obey(ctx: JobContext, scenario: str) -> None:
    """Fail as soon as a message says how: `block`, `stop`, `kill`, or `leave` with the caller."""

    @ctx.room.on("data_received")
    def on_data(packet: rtc.DataPacket) -> None:
        asyncio.get_running_loop().call_soon(_fail, ctx, packet.data.decode(), scenario)


def _fail(ctx: JobContext, how: str, scenario: str) -> None:
    note("fault", scenario, how=how)
    match how:
        case "leave":
            ctx.shutdown("done")
        case "block":
            time.sleep(LONG)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)

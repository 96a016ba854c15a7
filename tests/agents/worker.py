"""A real worker whose jobs fail as their dispatch metadata says, guarded as it says.

python -m tests.agents.worker start
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from livekit import api
from livekit.agents import AgentServer, JobContext, cli

import onhook
import tests.agents.conversations
import tests.agents.deaths
import tests.agents.dialling
import tests.agents.healthy
import tests.agents.providers  # noqa: F401 - their faults join the others
from onhook.incident import RungReport
from tests.agents import rungs
from tests.agents.faults import FAULTS, note, noted
from tests.agents.obeying import late
from tests.livekit.voices import hanging_tts, raising_tts, silent_tts

AGENT = os.environ.get("ONHOOK_TEST_AGENT", "faulty")

guard = onhook.guard  # loaded with the module, as where it decorates


async def hand_written(ctx: JobContext) -> None:
    """What LiveKit's guide asks every developer to write."""
    scenario = json.loads(ctx.job.metadata)
    try:
        await FAULTS[scenario["fault"]](ctx)
    except Exception:
        async with api.LiveKitAPI() as server:
            await server.room.delete_room(api.DeleteRoomRequest(room=ctx.room.name))
        raise


def with_tts(tts: Callable[[], object]) -> Callable[[], onhook.Policy]:
    words = "These words are spoken by a voice that fails."
    return lambda: onhook.Policy(lost=[onhook.Say(words, tts=tts), onhook.HangUp()])


POLICIES: dict[str, Callable[[], onhook.Policy]] = {
    "default": onhook.Policy,
    "silent": lambda: onhook.Policy(lost=[onhook.HangUp()]),
    "room": lambda: onhook.Policy(lost=[onhook.DeleteRoom()]),
    "callers": lambda: onhook.Policy(lost=[onhook.Say(), onhook.RemoveCallers()]),
    "reject": lambda: onhook.Policy(ringing="reject"),
    "impatient": lambda: onhook.Policy(lost=[onhook.HangUp(deadline=2.0)], api_timeout=0.8),
    "alone": lambda: onhook.Policy(
        lost=[onhook.HangUp(deadline=2.0)], api_timeout=0.8, watchdog="off"
    ),
    "talk": lambda: onhook.Policy(dead_air=3.0, tool_limit=6.0, give_up=3.0),
    "talk_with_long_tools": lambda: onhook.Policy(dead_air=3.0, give_up=3.0),
    "quick": lambda: onhook.Policy(setup=2.0, first_audio=2.0, dead_air=2.0, give_up=3.0),
    "tts_hangs": with_tts(hanging_tts),
    "tts_raises": with_tts(raising_tts),
    "tts_silent": with_tts(silent_tts),
    **rungs.POLICIES,
}


class Witness:
    """Tells the test what the engine did."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self._scenario = scenario["id"]
        self._killed_in = scenario.get("killed_in")
        self._killed_after = scenario.get("killed_after", 0.0)

    def opened(self, incident: onhook.Incident) -> None:
        error = repr(incident.failure.error)
        severity = str(incident.severity)
        note("opened", self._scenario, fault=str(incident.fault), raised=error, severity=severity)
        if incident.severity is onhook.Severity.LOST:
            note("lost", self._scenario)

    def intent(self, incident: onhook.Incident, rung: str) -> None:
        note("intent", self._scenario, rung=rung, incident=incident.id)
        if rung == self._killed_in:  # the watchdog has been told of the intent already
            if self._killed_after:
                asyncio.get_running_loop().call_later(self._killed_after, self._kill)
            else:
                self._kill()

    def _kill(self) -> None:
        note("killed", self._scenario)
        os.kill(os.getpid(), signal.SIGKILL)

    def climbed(self, incident: onhook.Incident, report: RungReport) -> None:
        note("climbed", self._scenario, incident=incident.id, text=report.detail)

    def closed(self, incident: onhook.Incident, outcome: onhook.Outcome) -> None:
        note(
            "closed",
            self._scenario,
            incident=incident.id,
            raised=repr(incident.failure.error),
            ending=outcome.ending,
            text="; ".join([*(report.detail for report in outcome.reports), outcome.detail]),
        )
        note(str(outcome.ending), self._scenario)


def observers(scenario: dict[str, Any]) -> list[onhook.Observer]:
    if scenario.get("timed"):  # what is timed is what a user runs
        return [onhook.LoggingObserver()]
    return [onhook.LoggingObserver(), Witness(scenario)]


server = AgentServer(
    host="127.0.0.1",
    port=0,
    num_idle_processes=int(os.environ.get("ONHOOK_TEST_IDLE", "3")),
    load_fnc=lambda: 0.0,
    load_threshold=math.inf,  # else it refuses what waits for a process, and nobody offers it again
    drain_timeout=int(os.environ.get("ONHOOK_TEST_DRAIN", "1")),
)


@server.rtc_session(agent_name=AGENT)
async def entrypoint(ctx: JobContext) -> None:
    scenario = rungs.scenario_of(ctx)
    try:
        await run(ctx, scenario)
    finally:
        note("left", scenario["id"])


async def run(ctx: JobContext, scenario: dict[str, Any]) -> None:
    if other := scenario.get("after"):  # its process was slow to start: the other has greeted
        await noted("greeted", other)
    await asyncio.sleep(late(scenario))
    before = time.monotonic()

    async def body(ctx: JobContext) -> None:
        note("entered", scenario["id"], before=before, pid=os.getpid())
        await FAULTS[scenario["fault"]](ctx)

    match scenario["guard"]:
        case "off":
            await body(ctx)
        case "hand-written":
            await hand_written(ctx)
        case name:
            guarded = guard(
                POLICIES[name](),
                reraise=scenario.get("reraise", True),
                observers=observers(scenario),
                mode=scenario.get("mode", "act"),
            )
            await guarded(body)(ctx)


if __name__ == "__main__":
    server.on("worker_registered", lambda *_: note("registered", pid=os.getpid()))
    cli.run_app(server)

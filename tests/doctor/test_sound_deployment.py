"""A whole deployment that is sound, and asked everything: nothing is said of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from onhook.bench.stack.server_process import Server
from onhook.cli.doctor_call import place_call
from onhook.doctor.findings import Group
from tests.doctor.planting import AGENT, Bench, changed
from tests.sentinel.line.sentinels import sentinel

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

GREETS = f"""
import onhook
from livekit.agents import Agent, AgentServer, AgentSession, JobContext
from onhook.bench.demo.espeak_voice import EspeakTTS

server = AgentServer(
    num_idle_processes=3, load_fnc=lambda: 0.0, load_threshold=float("inf"), drain_timeout=1
)


@server.rtc_session(agent_name={AGENT!r})
@onhook.guard
async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession(tts=EspeakTTS())
    await session.start(Agent(instructions=""), room=ctx.room)
    await session.say("Hello, this is the front desk. How may I help you today?")
"""


async def test_nothing_is_said_of_a_whole_deployment_that_is_sound(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "agent.py"
    file.write_text(GREETS)
    address = bench.stack.sip_address or ""
    command = [sys.executable, "-m", "livekit.agents", "start", str(file)]
    quiet = {"ONHOOK_WATCHDOG": "off", "PYTHONPATH": ":".join(filter(None, sys.path))}
    worker = Server("agent", command, tmp_path / "agent.log", {**bench.stack.env, **quiet})
    monkeypatch.setenv("ONHOOK_SENTINEL", f"http://127.0.0.1:{bench.webhook}")
    async with sentinel(bench.stack, tmp_path / "sentinel", bench.webhook):
        await worker.start()
        try:
            await _registered(bench, worker)

            async def call() -> object:
                return await place_call("+15550100", address, ring=30.0, listen=10.0)

            order = changed(
                bench.sound, files=(file,), canary=True, wait_webhook=15.0, place_call=call
            )
            report = await bench.examined(order)
        finally:
            await worker.stop()
    assert report.findings == (), f"{report.findings}\n{worker.tail()}"
    assert "the first sound" in report.heard
    assert {each.what for each in report.unchecked} <= {"whether carriers take REFER"}


async def _registered(bench: Bench, worker: Server) -> None:
    """Wait until the agent takes calls; nothing tells but a canary."""
    order = changed(bench.sound, groups=(Group.AGENTS,), canary=True)
    until = asyncio.get_running_loop().time() + 80
    while (report := await bench.examined(order)).findings:
        assert worker.running, worker.tail()
        assert asyncio.get_running_loop().time() < until, f"{report.findings}\n{worker.tail()}"
